import { expect } from "vitest";
import type { MeshProcess } from "./mesh-process.ts";

/** Runs the Docker CLI on a mesh. @returns what it printed; any exit code but 0 fails the test */
export async function dockerOk(mesh: MeshProcess, ...args: string[]): Promise<string> {
  const { code, out, err } = await mesh.docker(...args);
  expect(code, `docker ${args.join(" ")}\n${out}${err}`).toBe(0);
  return out;
}
