// A program whose outer process keeps no socket: the child prints its process id and does nothing until a signal. A
// child that should replace another one refuses, and ends at once.

import { heldProcess, isHeld } from "../../src/local/held-process.ts";
import { controlHolderLockFile } from "../../src/local/reload-file.ts";
import { holdSockets } from "../../src/local/socket-holder.ts";

const [, , stateDir = "", next = "after"] = process.argv;
if (isHeld()) {
  const { handOver } = heldProcess(0);
  console.log(`child ${process.pid}`);
  setInterval(() => undefined, 60_000);
  process.once("disconnect", () => process.exit());
  if (handOver.isSuccessor) {
    handOver.refused("cannot serve 0.0.0.0:443: no certificate");
    process.exit(1);
  }
  handOver.serving();
} else {
  const log = (line: string): void => console.log(line);
  process.exitCode = await holdSockets({
    stateDir,
    lockFile: controlHolderLockFile(stateDir),
    next: next === "beside" ? next : "after",
    drainMs: 0,
    stopMs: 1_000,
    log,
  });
}
