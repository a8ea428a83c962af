// Other people's programs, run for a test: found on the path, started, waited for, and ended with it.

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Those of the programs that this machine does not have. */
export function missingPrograms(names: readonly string[]): readonly string[] {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return names.filter((name) => !folders.some((folder) => isExecutable(join(folder, name))));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export type Program = {
  /** What it printed so far. */
  readonly output: () => string;
  readonly stop: () => Promise<void>;
};

/** Starts a program; whoever starts it waits for what it is to do. */
export function startProgram(name: string, args: readonly string[]): Program {
  const env = { ...process.env, PATH: `${process.env.PATH}${delimiter}/usr/sbin${delimiter}/sbin` };
  const child = spawn(name, [...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  const take = (bytes: Buffer) => {
    printed += bytes;
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    output: () => printed,
    stop: () => {
      child.kill("SIGKILL");
      return ended;
    },
  };
}
