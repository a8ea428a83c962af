// `waggle reload`: replaces the process of a balancer, a control plane or a node's published ports on this machine.

import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { refused } from "./errors.ts";

type Flags = { readonly state: string };

/** Longer than the new process may take to serve, and the last one to end its session. */
const outcomeTimeoutMs = 120_000;
const pollMs = 100;

const reloadHelp = `
Examples:
  waggle reload                                  the balancer with the state folder .waggle-edge
  waggle reload --state /var/lib/waggle-edge
  waggle reload --state .waggle-agent            the published ports of a node; its agent and tasks go on

The new process is of the release that is installed now, and takes over the listening sockets: no new connection is
refused. The old process of published ports finishes its open requests and connections; if the new one does not serve,
or could not use a certificate in use, the old one goes on. The new process of a control plane loads its programs and
reads its certificates; then the old one ends, and clients wait until the new one has opened the database. The command
ends with 1 if the new process does not serve. Changed options need a restart.`;

export function registerReload(program: Command, cli: Cli): void {
  program
    .command("reload")
    .summary("replace the process of published ports or a control plane by one of the installed release")
    .description(
      "Replace the process of `waggle edge`, of `waggle control`, or of the published ports of `waggle agent --ingress` on this machine. Published ports lose no connection; clients of a control plane wait.",
    )
    .option("--state <dir>", "state folder of the process", ".waggle-edge")
    .addHelpText("after", reloadHelp)
    .action((flags: Flags) => reload(cli, flags));
}

async function reload(cli: Cli, { state }: Flags): Promise<void> {
  const { holderOf, readOutcome } = await import("../local/reload-file.ts");
  const holder = holderOf(state);
  if (holder === null)
    throw refused(
      `no balancer, control plane or agent with --ingress of this machine runs with the state folder ${state}`,
      "name it with --state DIR",
    );
  const numberBefore = readOutcome(state)?.holder === holder ? (readOutcome(state)?.number ?? 0) : 0;
  const askedMs = cli.nowMs();
  try {
    process.kill(holder, "SIGUSR2");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
    throw refused(`process ${holder} belongs to another user`, "reload it as that user, or as root");
  }
  for (const deadlineMs = cli.nowMs() + outcomeTimeoutMs; cli.nowMs() < deadlineMs; await cli.sleep(pollMs)) {
    const outcome = readOutcome(state);
    if (outcome === null || outcome.holder !== holder || outcome.number <= numberBefore) continue;
    // Of a reload that was in progress, maybe to a release before the one that is installed now.
    if ((outcome.begunMs ?? askedMs) < askedMs) continue;
    if (!outcome.isDone) throw refused(outcome.text, `the log of process ${holder} says more`);
    return void cli.out.write(`${outcome.text}\n`);
  }
  throw refused(`process ${holder} did not answer within ${outcomeTimeoutMs / 1_000} s`, "look at its log");
}
