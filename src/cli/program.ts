// The command tree of `waggle`.

import { Command } from "commander";
import { registerAgent, registerSwarm } from "./agent.ts";
import { registerBackup } from "./backup/backup.ts";
import { registerRestore } from "./backup/restore.ts";
import type { Cli } from "./cli.ts";
import { registerCompletion } from "./completion/completion.ts";
import { registerConnect } from "./connect.ts";
import { registerContext } from "./context/verbs.ts";
import { registerControl } from "./control.ts";
import { registerDashboard } from "./dashboard.ts";
import { registerDeploy } from "./deploy/deploy.ts";
import { registerDestroy } from "./destroy.ts";
import { registerDoctor } from "./doctor/doctor.ts";
import { registerDown } from "./down.ts";
import { registerEdge } from "./edge.ts";
import { registerEvents } from "./events.ts";
import { targetFlags } from "./flags.ts";
import { registerGatewayKey } from "./gateway-key.ts";
import { registerImport } from "./import/import.ts";
import { registerJoinToken } from "./join-token.ts";
import { registerLogin } from "./login.ts";
import { registerLogs } from "./logs/logs.ts";
import { registerNode } from "./node/node.ts";
import { registerReload } from "./reload.ts";
import { rootCommand, runCommand } from "./run-command.ts";
import { registerServer } from "./server/server.ts";
import { registerService } from "./service/service.ts";
import { registerStatus } from "./status.ts";
import { registerTable } from "./table.ts";
import { registerTask } from "./task/task.ts";
import { registerTop } from "./top/top.ts";
import { registerTrace } from "./trace/trace.ts";
import { registerUp } from "./up.ts";
import { registerVersion } from "./version.ts";

const rootHelp = `
Getting started:
  waggle up                        run a mesh of three nodes on this machine
  waggle status                    show nodes, services, tasks and problems
  waggle service create --name my-web --publish published=8080,target=80 waggle/whoami

Environment:
  WAGGLE_URL      control URL of the mesh, like --host (WAGGLE_HOST means the same)
  WAGGLE_CONTEXT  context of the mesh, like --context
  WAGGLE_TOKEN    operator token, like --token-file

Exit codes:
  0    success
  1    refused by the mesh, or a check failed
  2    invalid command line
  3    mesh unreachable
  4    token missing, wrong, or not permitted to do this
  70   a fault of waggle itself
  130  interrupted`;

/** Runs one command line of `waggle`. @returns the exit code; see errors.ts */
export function run(args: readonly string[], cli: Cli): Promise<number> {
  return runCommand(args, cli, buildProgram);
}

/** Builds the command tree. Verbs import their heavier modules when they run. */
export function buildProgram(cli: Cli): Command {
  const program = rootCommand("waggle", cli)
    .description("The Swarm routing mesh at the edge: the published port of any node reaches a live task.")
    .enablePositionalOptions()
    .addHelpText("after", rootHelp);
  targetFlags(program);
  program.commandsGroup("Mesh:");
  registerUp(program, cli);
  registerDown(program, cli);
  registerDeploy(program, cli);
  registerDestroy(program, cli);
  registerControl(program, cli);
  registerAgent(program, cli);
  registerSwarm(program, cli);
  registerEdge(program, cli);
  registerReload(program, cli);
  registerJoinToken(program, cli);
  registerGatewayKey(program, cli);
  registerBackup(program, cli);
  registerRestore(program, cli);
  program.commandsGroup("Services, servers and nodes:");
  registerService(program, cli);
  registerServer(program, cli);
  registerNode(program, cli);
  registerTask(program, cli);
  registerImport(program, cli);
  registerConnect(program, cli);
  program.commandsGroup("Monitoring:");
  registerStatus(program, cli);
  registerDoctor(program, cli);
  registerTop(program, cli);
  registerDashboard(program, cli);
  registerEvents(program, cli);
  registerLogs(program, cli);
  registerTrace(program, cli);
  registerTable(program, cli);
  program.commandsGroup("Other commands:");
  program.addHelpCommand(new Command("help").argument("[command]").summary("print help for a command"));
  registerContext(program, cli);
  registerLogin(program, cli);
  registerCompletion(program, cli);
  registerVersion(program, cli);
  return program;
}
