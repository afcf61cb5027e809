// What matchd reports while it runs.

import DaemonKit
import Logging
import Pipeline
import Platform

extension MatchingDaemon {
    /// Waits for a signal; reports meanwhile to the service manager that the engine thread turns.
    func watch(_ daemon: DaemonProcess) {
        let start = view
        var turns = start.turns
        var watch = PipelineWatch(from: start, markPath: Self.markPath(settings))
        report(watch.take(start))
        daemon.watch {
            let now = view
            if now.turns != turns { ServiceManager.watchdog() }
            turns = now.turns
            ServiceManager.status(now.status)
            report(watch.take(now))
            return true
        }
    }

    /// The pipeline, its journal and its snapshots now.
    private var view: PipelineView {
        var view = pipeline.view
        (view.sink, view.snapshotsFault) = (sink.faults, history.fault)
        return view
    }

    private func report(_ all: [PipelineNews]) {
        for news in all {
            let level: Logger.Level =
                switch news.severity {
                case .notice: .notice
                case .error: .error
                case .critical: .critical
                }
            log.report(level, "\(news)")
        }
    }
}
