import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const file = fileURLToPath(new URL("../../../src/net/descriptor-limit.ts", import.meta.url));

/** What a process under a limit reads. */
function limitUnder(limit: string): string {
  const script = `import(${JSON.stringify(file)}).then((it) => console.log(it.descriptorLimit()))`;
  const { stdout } = spawnSync(
    "sh",
    ["-c", `ulimit -n ${limit} && exec "$@"`, "sh", process.execPath, "-e", script],
    {
      encoding: "utf8",
    },
  );
  return stdout.trim();
}

test("[O402] the limit of open files is the one of the process", () => {
  expect([limitUnder("300"), limitUnder("700")]).toEqual(["300", "700"]);
});
