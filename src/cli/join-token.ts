// `waggle join-token`: the token that a new node joins with.

import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import type { EngineSwarm } from "./engine.ts";
import { choiceArgument, connect, type MeshFlags, meshFlags } from "./flags.ts";
import { printJson } from "./json.ts";

type Flags = MeshFlags & { rotate?: boolean; quiet?: boolean };

export function registerJoinToken(program: Command, cli: Cli): void {
  const command = program
    .command("join-token")
    .addArgument(
      choiceArgument("[role]", "role of the node; a mesh has workers only", ["worker"]).default("worker"),
    )
    .summary("display or rotate the join token")
    .description("Display the join token, and the command that adds a node.")
    .option("--rotate", "rotate the join token; the old one becomes invalid, joined nodes stay")
    .option("-q, --quiet", "only display token");
  meshFlags(command)
    .addHelpText("after", "\nExamples:\n  waggle join-token\n  waggle join-token --rotate -q")
    .action((_role: string, flags: Flags) => joinToken(cli, command, flags));
}

async function joinToken(cli: Cli, command: Command, flags: Flags): Promise<void> {
  const mesh = await connect(command, cli);
  let swarm = await mesh.get<EngineSwarm>("/swarm");
  if (flags.rotate) {
    const query = { version: swarm.Version?.Index ?? 0, rotateWorkerToken: true };
    await mesh.post("/swarm/update", swarm.Spec ?? {}, query);
    swarm = await mesh.get<EngineSwarm>("/swarm");
  }
  const token = swarm.JoinTokens.Worker;
  if (flags.json) return printJson(cli.out, swarm);
  cli.out.write(flags.quiet ? `${token}\n` : joinText(token, mesh.target.url, flags.rotate === true));
}

function joinText(token: string, url: string, isRotated: boolean): string {
  const notice = isRotated ? "Successfully rotated worker join token.\n\n" : "";
  return `${notice}To add a node to this mesh, run the following command:\n\n    waggle agent --join ${token} ${url}\n\n`;
}
