// External programs that tests run.

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The programs that this machine does not have. */
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
  /** The output so far. */
  readonly output: () => string;
  readonly stop: () => Promise<void>;
};

/** Starts a program without waiting until it is ready. */
export function startProgram(name: string, args: readonly string[]): Program {
  const env = { ...process.env, PATH: `${process.env.PATH}${delimiter}/usr/sbin${delimiter}/sbin` };
  const child = spawn(name, [...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const append = (bytes: Buffer) => {
    output += bytes;
  };
  child.stdout.on("data", append);
  child.stderr.on("data", append);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    output: () => output,
    stop: () => {
      child.kill("SIGKILL");
      return exited;
    },
  };
}
