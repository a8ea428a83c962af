// Telemetry over node:sqlite, in memory.

import { Telemetry } from "../../src/telemetry/telemetry.ts";
import { memoryPort } from "./sqlite.ts";

export function newTelemetry(clock: () => number = () => Date.now()): Telemetry {
  return new Telemetry(memoryPort(), clock);
}
