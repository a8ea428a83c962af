// A program whose outer process keeps no socket: the child prints its process id and does nothing until a signal.

import { isHeld } from "../../src/local/held-process.ts";
import { holdSockets } from "../../src/local/socket-holder.ts";

const [, , stateDir = ""] = process.argv;
if (isHeld()) {
  console.log(`child ${process.pid}`);
  setInterval(() => undefined, 60_000);
  process.once("disconnect", () => process.exit());
} else {
  const log = (line: string): void => console.log(line);
  process.exitCode = await holdSockets({ stateDir, next: "after", drainMs: 0, stopMs: 1_000, log });
}
