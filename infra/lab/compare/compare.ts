// Compares a Docker Swarm with a mesh: the same Docker commands, on the same three machines and daemons, one after
// the other.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Lab, nodes, type Output } from "../lab.ts";
import { commands, files } from "./commands.ts";
import { differences } from "./differences.ts";
import { normalize } from "./normalize.ts";
import { runCommands, type Shell } from "./run-commands.ts";

/**
 * Runs the commands on the Swarm, makes the machines leave it and join a mesh, and runs them again.
 *
 * @param say prints a line
 * @returns true if nothing differs but what the list allows, and all of the list that is not rare differs
 */
export async function compare(lab: Lab, say: (line: string) => void): Promise<boolean> {
  const folder = join(lab.dir, "commands");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const shell =
    (run: (words: readonly string[]) => Promise<Output>): Shell =>
    (text) =>
      run(["sh", "-c", `cd ${folder} && ${text}`]);
  const ofSwarm = await runCommands(
    shell((words) => lab.runOnEngine("node1", words)),
    (line) => say(`swarm ${line}`),
  );
  for (const node of nodes) await lab.engineOk(node, "swarm", "leave", "--force");
  await lab.startMesh();
  const ofMesh = await runCommands(
    shell((words) => lab.run("client", words)),
    (line) => say(`mesh  ${line}`),
  );
  return report(ofSwarm, ofMesh, say);
}

/** Prints each difference, and what is in the list of differences without reason. */
function report(ofSwarm: readonly Output[], ofMesh: readonly Output[], say: (line: string) => void): boolean {
  const used = new Set<number>();
  let failed = 0;
  say("\n== what differs");
  for (const [index, { text }] of commands.entries()) {
    const allowed = differences.filter(({ commands: those }) => those.test(text));
    const [swarm, mesh] = [ofSwarm[index], ofMesh[index]].map((output) =>
      output === undefined ? "" : normalize(output),
    );
    const without = (output = "") => {
      const kept = output.split("\n").filter((line) => !allowed.some(({ lines }) => lines.test(line)));
      return kept.join("\n");
    };
    if (swarm !== mesh) for (const difference of allowed) used.add(differences.indexOf(difference));
    if (without(swarm) === without(mesh)) continue;
    failed += 1;
    say(`\n${text}`);
    sayDifference(without(swarm), without(mesh), say);
  }
  const unused = differences.filter(({ rare }, index) => rare === undefined && !used.has(index));
  for (const { commands: those, reason } of unused) say(`\nnothing differs in ${those}: ${reason}`);
  const unusedCount = unused.length === 0 ? "" : `, ${unused.length} listed differences do not occur`;
  say(`\ncompared: ${commands.length} commands, ${failed} differ${unusedCount}`);
  return failed === 0 && unused.length === 0;
}

function sayDifference(swarm: string, mesh: string, say: (line: string) => void): void {
  const [ofSwarm, ofMesh] = [swarm.split("\n"), mesh.split("\n")];
  for (const line of ofSwarm) if (!ofMesh.includes(line)) say(`  swarm: ${line}`);
  for (const line of ofMesh) if (!ofSwarm.includes(line)) say(`  mesh:  ${line}`);
  if (ofSwarm.every((line) => ofMesh.includes(line)) && ofMesh.every((line) => ofSwarm.includes(line))) {
    say("  the lines are in another order");
  }
}
