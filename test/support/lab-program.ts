// A run of a program of the lab, `infra/lab/lab.sh walk`, with its report.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

const program = fileURLToPath(new URL("../../infra/lab/lab.sh", import.meta.url));

export type LabRun = {
  /** What it printed. */
  readonly report: string;
  /** Files and processes that are left of it; empty if none are. */
  readonly left: readonly string[];
};

/** Runs a program of the lab until it ends. */
export async function runLab(...args: readonly string[]): Promise<LabRun> {
  const folder = mkdtempSync(join(tmpdir(), "lab-test-"));
  const child = spawn(program, args, {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // A test that ends early ends the lab.
  const kill = (): void => void child.kill("SIGTERM");
  process.once("exit", kill);
  let report = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes) => {
      report += bytes;
    });
  }
  await new Promise((resolve) => child.once("close", resolve));
  process.off("exit", kill);
  const left = [
    ...readdirSync(folder),
    ...namesOf(["pgrep", "-f", folder]),
    ...namesOf(["find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", `*${folder.split("/").pop()}*`]),
  ];
  rmSync(folder, { recursive: true, force: true });
  return { report, left };
}

/** Checks the step of a rule by its line in the report. */
export function expectStep({ report }: LabRun, rule: string): void {
  expect(report).toMatch(new RegExp(`^ok ${rule}$`, "m"));
}

function namesOf([command = "", ...args]: readonly string[]): readonly string[] {
  return spawnSync(command, args, { encoding: "utf8" }).stdout.split("\n").filter(Boolean);
}
