// boursectl: the operators' command line. The commands are in CLI/BoursectlCommands.

import BoursectlCommands

BoursectlProcess.run()
