// `waggle gateway-key`: replaces the key by which routers prove requests to the gateways of nodes.

import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { usageError } from "./errors.ts";
import { connect, type MeshFlags, meshFlags } from "./flags.ts";
import { emptyBody } from "./shapes.ts";

type Flags = MeshFlags & { readonly rotate?: boolean };

export function registerGatewayKey(program: Command, cli: Cli): void {
  const command = program
    .command("gateway-key")
    .summary("rotate the key of the gateways")
    .description(
      "Replace the key by which routers prove requests to the gateways of nodes. Agents get the new key at once, routers sign with it after 15 s, and the old one ends 10 minutes later: no request fails.",
    )
    .option("--rotate", "replace the key");
  meshFlags(command)
    .addHelpText("after", "\nExample:\n  waggle gateway-key --rotate")
    .action((flags: Flags) => rotate(cli, command, flags));
}

async function rotate(cli: Cli, command: Command, { rotate: isAsked }: Flags): Promise<void> {
  if (isAsked !== true) throw usageError("the key itself is secret; --rotate replaces it");
  const mesh = await connect(command, cli);
  await mesh.postNative("/mesh/gateway-key/rotate", {}, emptyBody);
  cli.out.write("The gateway key is being replaced; `waggle table` names the key that routers sign with.\n");
}
