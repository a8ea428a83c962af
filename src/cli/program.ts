// The command tree, and the exit code of a run.

import { Command, CommanderError } from "commander";
import { MeshError } from "../domain/model/error.ts";
import { registerAgent, registerSwarm } from "./agent.ts";
import type { Cli } from "./cli.ts";
import { registerCompletion } from "./completion/completion.ts";
import { registerConnect } from "./connect.ts";
import { registerDashboard } from "./dashboard.ts";
import { registerEdge } from "./edge.ts";
import { CliError, errorText, exitCodes, refused } from "./errors.ts";
import { registerEvents } from "./events.ts";
import { targetFlags } from "./flags.ts";
import { registerGatewayKey } from "./gateway-key.ts";
import { registerImport } from "./import/import.ts";
import { registerJoinToken } from "./join-token.ts";
import { registerLogs } from "./logs/logs.ts";
import { registerNode } from "./node/node.ts";
import { printableSink } from "./output.ts";
import { registerServer } from "./server/server.ts";
import { registerService } from "./service/service.ts";
import { registerStatus } from "./status.ts";
import { registerTable } from "./table.ts";
import { registerTask } from "./task/task.ts";
import { registerTop } from "./top/top.ts";
import { registerTrace } from "./trace/trace.ts";
import { registerUp } from "./up.ts";
import { cliVersion, registerVersion } from "./version.ts";

const rootHelp = `
Getting started:
  waggle up                        run a mesh of three nodes on this machine
  waggle status                    show nodes, services, tasks and problems
  waggle service create --name my-web --publish published=8080,target=80 waggle/whoami

Environment:
  WAGGLE_HOST     control URL of the mesh, like --host
  WAGGLE_TOKEN    operator token, like --token-file

Exit codes:
  0    success
  1    refused by the mesh, or a check failed
  2    invalid command line
  3    mesh unreachable
  4    token missing, wrong, or not permitted to do this
  130  interrupted`;

/**
 * Runs one command line.
 *
 * @param args without the interpreter and the script
 * @returns the exit code; see errors.ts
 */
export async function run(args: readonly string[], { out, err, ...rest }: Cli): Promise<number> {
  const cli: Cli = { ...rest, out: printableSink(out), err: printableSink(err) };
  const program = buildProgram(cli);
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync([...args], { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    return handleError(cli, error);
  }
}

/** Builds the command tree. Verbs import their heavier modules when they run. */
export function buildProgram(cli: Cli): Command {
  const program = new Command("waggle")
    .description("The Swarm routing mesh at the edge: the published port of any node reaches a live task.")
    .version(cliVersion(), "-V, --version", "print the version of this command")
    .helpOption("-h, --help", "print help")
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => cli.out.write(text),
      writeErr: (text) => cli.err.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "waggle: ")),
      getOutHelpWidth: () => cli.out.columns ?? 100,
      getErrHelpWidth: () => cli.err.columns ?? 100,
    })
    .addHelpText("after", rootHelp);
  targetFlags(program);
  program.commandsGroup("Mesh:");
  registerUp(program);
  registerAgent(program, cli);
  registerSwarm(program, cli);
  registerEdge(program, cli);
  registerJoinToken(program, cli);
  registerGatewayKey(program, cli);
  program.commandsGroup("Services, servers and nodes:");
  registerService(program, cli);
  registerServer(program, cli);
  registerNode(program, cli);
  registerTask(program, cli);
  registerImport(program, cli);
  registerConnect(program, cli);
  program.commandsGroup("Monitoring:");
  registerStatus(program, cli);
  registerTop(program, cli);
  registerDashboard(program, cli);
  registerEvents(program, cli);
  registerLogs(program, cli);
  registerTrace(program, cli);
  registerTable(program, cli);
  program.commandsGroup("Other commands:");
  program.addHelpCommand(new Command("help").argument("[command]").summary("print help for a command"));
  registerCompletion(program, cli);
  registerVersion(program, cli);
  return program;
}

function handleError(cli: Cli, error: unknown): number {
  // Commander prints its own errors; it also throws after --help and --version.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof MeshError) return handleError(cli, refused(error.message));
  if (!(error instanceof CliError)) throw error;
  const text = errorText(error);
  if (text !== "") cli.err.write(`${text}\n`);
  return error.exitCode;
}
