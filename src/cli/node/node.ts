// `waggle node`: groups the verbs for nodes.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { registerNodeInspect } from "./inspect.ts";
import { registerNodeLs } from "./ls.ts";
import { registerNodePs } from "./ps.ts";
import { registerNodeRm } from "./rm.ts";
import { registerNodeUpdate } from "./update.ts";

export function registerNode(program: Command, cli: Cli): void {
  const node = program
    .command("node")
    .enablePositionalOptions()
    .summary("manage nodes")
    .description("Manage nodes: the machines with an agent. Flags are those of `docker node`.");
  registerNodeLs(node, cli);
  registerNodeInspect(node, cli);
  registerNodePs(node, cli);
  registerNodeUpdate(node, cli);
  registerNodeRm(node, cli);
}
