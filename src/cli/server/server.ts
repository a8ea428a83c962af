// `waggle server`: groups the verbs for static servers.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { registerServerAdd } from "./add.ts";
import { registerServerInspect } from "./inspect.ts";
import { registerServerLs } from "./ls.ts";
import { registerServerRm } from "./rm.ts";
import { registerServerSet } from "./set.ts";

export function registerServer(program: Command, cli: Cli): void {
  const server = program
    .command("server")
    .enablePositionalOptions()
    .summary("manage static servers")
    .description(
      "Manage static servers: addresses without an agent that a service sends requests to, like HAProxy's server lines.",
    );
  registerServerAdd(server, cli);
  registerServerLs(server, cli);
  registerServerInspect(server, cli);
  registerServerSet(server, cli);
  registerServerRm(server, cli);
}
