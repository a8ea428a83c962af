// Telemetry on an in-memory node:sqlite database.

import { Telemetry } from "../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "./sqlite.ts";

export function newTelemetry(clock: () => number = () => Date.now()): Telemetry {
  return new Telemetry(memoryDatabase(), clock);
}
