// bourse-poller: reads the devices around the host. This file composes; the work is in
// Host/DevicePoller.

import Configuration
import DaemonKit
import DevicePoller

let arguments = DaemonArguments(
    name: "bourse-poller", purpose: "reads the devices around the host over SNMPv3")
DaemonProcess.run(arguments.name) { daemon in
    let snmp = arguments.settings.snmp
    let settings = DevicePollerSettings(
        devices: try snmp.targets.map(loadDevices) ?? [], seconds: snmp.targetSeconds,
        readings: snmp.readings)
    try DevicePoller(settings, report: daemon.log.reportingFaults()).run(until: daemon.signals)
}
