// `waggle join-token`: the token that a new node joins with.

import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { choiceArgument, connect, type MeshFlags, meshFlags } from "./flags.ts";
import { printJson } from "./json.ts";
import { emptyBody, engineSwarm } from "./shapes.ts";

type Flags = MeshFlags & { rotate?: boolean; quiet?: boolean };

export function registerJoinToken(program: Command, cli: Cli): void {
  const command = program
    .command("join-token")
    .addArgument(
      choiceArgument("[role]", "role of the node: worker, or manager for services that are pinned to one", [
        "worker",
        "manager",
      ]).default("worker"),
    )
    .summary("display or rotate the join token")
    .description("Display the join token, and the command that adds a node.")
    .option("--rotate", "rotate the join token; the old one becomes invalid, joined nodes stay")
    .option("-q, --quiet", "only display token");
  meshFlags(command)
    .addHelpText("after", "\nExamples:\n  waggle join-token\n  waggle join-token --rotate -q")
    .action((role: TokenRole, flags: Flags) => joinToken(cli, command, role, flags));
}

type TokenRole = "worker" | "manager";

async function joinToken(cli: Cli, command: Command, role: TokenRole, flags: Flags): Promise<void> {
  const mesh = await connect(command, cli);
  let swarm = await mesh.get("/swarm", engineSwarm);
  if (flags.rotate) {
    const rotated = role === "worker" ? { rotateWorkerToken: true } : { rotateManagerToken: true };
    const query = { version: swarm.Version?.Index ?? 0, ...rotated };
    await mesh.post("/swarm/update", swarm.Spec ?? {}, emptyBody, query);
    swarm = await mesh.get("/swarm", engineSwarm);
  }
  const token = role === "worker" ? swarm.JoinTokens.Worker : swarm.JoinTokens.Manager;
  if (flags.json) return printJson(cli.out, swarm);
  cli.out.write(
    flags.quiet
      ? `${token}\n`
      : joinText({
          role,
          token,
          url: mesh.target.url,
          isRotated: flags.rotate === true,
          command: cli.command,
        }),
  );
}

type JoinText = {
  readonly role: TokenRole;
  readonly token: string;
  readonly url: string;
  readonly isRotated: boolean;
  readonly command: string | undefined;
};

function joinText({ role, token, url, isRotated, command = "waggle" }: JoinText): string {
  const notice = isRotated ? `Successfully rotated ${role} join token.\n\n` : "";
  return `${notice}To add a ${role === "worker" ? "node" : "manager"} to this mesh, run the following command:\n\n    ${command} agent --join ${token} ${url}\n\n`;
}
