// `waggle server set`: changes a static server: admin state, weight, checks, address.

import type { Command } from "commander";
import type { ServerBody } from "../../protocol/server.ts";
import type { Cli } from "../cli.ts";
import { usageError } from "../errors.ts";
import { connect, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { printJson } from "../json.ts";
import { anyResponse, emptyBody } from "../shapes.ts";
import { adminFlag, readAddress, type ServerFlags, serverFlags, serverPath, withFlags } from "./flags.ts";
import { fetchServer } from "./inspect.ts";

type Flags = MeshFlags &
  ServerFlags & { readonly admin?: string; readonly addr?: ReturnType<typeof readAddress> };

const serverSetHelp = `
Examples:
  waggle server set my-web/node1 --admin drain     only requests bound to it by a sticky cookie
  waggle server set my-web/node1 --admin maint     no requests and no health checks
  waggle server set my-web/node1 --admin ready
  waggle server set my-web/node1 --weight 5 --inter 5s
  waggle server set my-web/node1 --addr 172.31.46.140:8080

Settings that are not named stay as they are.`;

export function registerServerSet(parent: Command, cli: Cli): void {
  const command = parent
    .command("set")
    .alias("update")
    .argument("<server>", "SERVICE/SERVER")
    .summary("update a static server")
    .description("Update a static server, like `set server` of HAProxy's runtime API.")
    .addOption(adminFlag())
    .addOption(valueFlag("--addr <address>", "server address: HOST:PORT", readAddress));
  meshFlags(serverFlags(command, "set"))
    .addHelpText("after", serverSetHelp)
    .action((ref: string, flags: Flags) => set(cli, command, ref, flags));
}

async function set(cli: Cli, command: Command, ref: string, flags: Flags): Promise<void> {
  const path = `/mesh${serverPath(ref)}/update`;
  const mesh = await connect(command, cli);
  const { spec, version } = await fetchServer(mesh, ref);
  // The API accepts its own output as a body, unknown members included.
  const before = spec as unknown as ServerBody;
  const after = { ...withFlags(before, flags), ...flags.addr };
  const hasChanged = JSON.stringify(after) !== JSON.stringify(before);
  if (!hasChanged && flags.admin === undefined && !Object.keys(flags).some((flag) => specFlags.has(flag))) {
    throw usageError("nothing to change", "name what to set, such as --admin drain or --weight 5");
  }
  if (hasChanged) await mesh.postNative(`${path}?version=${version}`, after, anyResponse);
  if (flags.admin !== undefined) {
    await mesh.postNative("/mesh/admin", { kind: "server", ref, state: flags.admin }, emptyBody);
  }
  if (flags.json) printJson(cli.out, await fetchServer(mesh, ref));
  else cli.out.write(`${ref}\n`);
}

/** Flags of the server's spec. Setting one to its current value is not an error. */
const specFlags = new Set([
  ...["weight", "backup", "maxconn", "cookie", "ssl", "check", "inter", "fastinter", "downinter"],
  ...["checkTimeout", "checkPort", "rise", "fall", "httpchk", "httpHeader", "expect", "addr"],
]);
