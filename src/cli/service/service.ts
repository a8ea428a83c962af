// `waggle service`: groups the verbs for services.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { registerLogs } from "../logs/logs.ts";
import { registerServiceCreate } from "./create.ts";
import { registerServiceInspect } from "./inspect.ts";
import { registerServiceLs } from "./ls.ts";
import { registerServicePs } from "./ps.ts";
import { registerServiceRm } from "./rm.ts";
import { registerServiceRollback } from "./rollback.ts";
import { registerServiceScale } from "./scale.ts";
import { registerServiceUpdate } from "./update.ts";

export function registerService(program: Command, cli: Cli): void {
  const service = program
    .command("service")
    .enablePositionalOptions()
    .summary("manage services")
    .description(
      "Manage services: published ports and the tasks behind them. Flags mean what they mean to `docker service`, which has more of them.",
    );
  registerServiceCreate(service, cli);
  registerServiceLs(service, cli);
  registerServicePs(service, cli);
  registerServiceInspect(service, cli);
  registerServiceUpdate(service, cli);
  registerServiceScale(service, cli);
  registerServiceRollback(service, cli);
  registerLogs(service, cli);
  registerServiceRm(service, cli);
}
