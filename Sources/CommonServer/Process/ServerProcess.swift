import CommonLogging
import CommonUtil
import Glibc
import Logging
import Metrics

/// Runs the process of a server. Called by the `main` of every server:
///
///     @main struct Main {
///         static func main() async {
///             await ServerProcess.run("ChatMessageServer", defaultPort: 8081) { environment in
///                 try await buildMessageServer(environment)
///             }
///         }
///     }
///
/// Exit codes: 0 after SIGTERM or SIGINT; 64 for arguments that are no flags of settings; 78 for a wrong setting; 1 for
/// a port in use and other errors, each with one line on standard error; 128 + n after a second signal n. SIGHUP reloads
/// the certificate.
public enum ServerProcess {
    /// Runs a server and ends the process.
    /// - Parameters:
    ///   - name: the name of the program.
    ///   - defaultPort: the port where `CHAT_PORT` is not set.
    ///   - build: makes the parts of the server.
    public static func run(
        _ name: String, defaultPort: Int,
        build: @escaping @Sendable (ServerEnvironment) async throws -> ServerDependencies
    ) async -> Never {
        handleUsage(name, defaultPort, Array(CommandLine.arguments.dropFirst(name.split(separator: " ").count)))
        // A write to a closed connection returns EPIPE instead of ending the process.
        signal(SIGPIPE, SIG_IGN)
        FileDescriptors.raiseLimit()
        _ = SpareDescriptors.ofProcess.hold()
        AllocatorTrim.mapLargeBlocks()
        // Ignored until there is a certificate to reload.
        signal(SIGHUP, SIG_IGN)
        let lifetime = Lifetime(name: name)
        await StopSignals.handle { await lifetime.stop() }

        let environment: ServerEnvironment
        do {
            environment = try await prepareEnvironment(name, defaultPort: defaultPort)
            await ReloadSignal.handle(environment)
        } catch {
            ProcessExit(error: error, host: "", port: 0).exit(as: name)
        }
        do {
            let dependencies = try await build(environment)
            try await lifetime.run(dependencies, environment)
            environment.logger.info("Stopped")
            ProcessExit.success.exit(as: name)
        } catch {
            ProcessExit(error: error, host: environment.host, port: environment.port).exit(as: name)
        }
    }

    /// Ends the process for `--help`, `--version` and unknown arguments.
    private static func handleUsage(_ name: String, _ defaultPort: Int, _ arguments: [String]) {
        do {
            switch try CommandLineRequest(arguments: arguments) {
            case .run: return
            case .help: print(CommandLineRequest.help(program: name, defaultPort: defaultPort), terminator: "")
            case .version: print("\(name) \(ChatVersion.current)")
            }
            exit(0)
        } catch {
            ProcessExit(code: UsageError.exitCode, line: "\(error)").exit(as: name)
        }
    }

    /// Reads the common settings, starts logging and metrics, and logs warnings about the settings.
    private static func prepareEnvironment(_ name: String, defaultPort: Int) async throws -> ServerEnvironment {
        let configuration = try await ConfigurationSource()
        ChatLogging.bootstrap(
            service: name, level: try configuration.value(Settings.logLevel),
            format: try configuration.value(Settings.logFormat))
        let environment = try ServerEnvironment(
            name: name, defaultPort: defaultPort, configuration: configuration,
            metrics: PrometheusRegistry.bootstrap())
        try ListenAddress.check(environment.host)
        Gauge(
            label: "chat_build_info", dimensions: [("server", name), ("version", ChatVersion.current)],
            factory: environment.metrics
        ).record(1)
        for unknown in configuration.unknownNames {
            environment.logger.warning("Unknown variable, perhaps misspelt", metadata: ["name": "\(unknown)"])
        }
        if environment.authMode == .trusted {
            environment.logger.warning("CHAT_AUTH_MODE is trusted: every caller is believed to be who it says it is")
        }
        return environment
    }
}
