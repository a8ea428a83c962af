// The systemd units of infra/, read by systemd itself.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { missingPrograms } from "../support/program.ts";

const infra = fileURLToPath(new URL("../../infra/", import.meta.url));
const units = readdirSync(infra, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".service"),
);
const dropIns = readdirSync(`${infra}agent/waggle-agent.service.d`).sort();
const folder = mkdtempSync(join(tmpdir(), "waggle-units-"));
afterAll(() => rmSync(folder, { recursive: true }));

const isMissing = missingPrograms(["systemd-analyze"]).length > 0;
const reason = isMissing ? " (skipped: no systemd-analyze; apt-get install systemd)" : "";

describe.skipIf(isMissing)(`systemd units${reason}`, () => {
  test("[U110] infra/ has units for the agent, a control plane, a balancer and a compiled mesh", () => {
    expect(units.sort()).toEqual([
      "agent/waggle-agent.service",
      "self-host/waggle-control.service",
      "self-host/waggle-edge.service",
      "self-host/waggle.service",
    ]);
  });

  test.each(units)("[U110] the exposure of %s is below 3.0", (unit) => {
    const report = execFileSync(
      "systemd-analyze",
      ["security", "--offline=true", "--no-pager", infra + unit],
      {
        encoding: "utf8",
      },
    );
    const level = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(report)?.[1]);
    expect(level, report).toBeLessThan(3);
  });

  test("[U140] with an ingress the agent has one capability", () => {
    const { stdout } = analyze(agentWith(["ingress.conf"]), "security", "--offline=true", "--json=short");
    const findings = JSON.parse(stdout) as { json_field: string; set: boolean | null }[];
    const granted = findings.filter(
      ({ json_field, set }) => json_field.startsWith("CapabilityBoundingSet_") && !set,
    );
    expect(granted.map(({ json_field }) => json_field)).toEqual([
      expect.stringMatching(/^CapabilityBoundingSet_CAP_NET_BIND_SERVICE/),
    ]);
  });

  test.each([...dropIns, dropIns.join(" and ")])(
    "[U140][U480] with %s the exposure of the agent is below 3.0",
    (names) => {
      const unit = agentWith(names.split(" and "));
      const report = analyze(unit, "security", "--offline=true").stdout;
      expect(Number(/Overall exposure level for \S+: ([\d.]+)/.exec(report)?.[1]), report).toBeLessThan(3);
      expect(complaintsOf(analyze(unit, "verify", "--man=no").stderr)).toEqual([]);
    },
  );

  test("[U480] docker.conf lets the agent use Docker's socket, and changes nothing it runs", () => {
    const text = readFileSync(`${infra}agent/waggle-agent.service.d/docker.conf`, "utf8");
    expect(text).toMatch(/^SupplementaryGroups=docker$/m);
    expect(text).not.toMatch(/^ExecStart/m);
  });

  test.each(units)("[U110] %s has only settings that systemd knows", (unit) => {
    expect(complaintsOf(analyze(infra + unit, "verify", "--man=no").stderr)).toEqual([]);
  });
});

function analyze(unit: string, verb: "security" | "verify", ...flags: readonly string[]) {
  return spawnSync("systemd-analyze", [verb, ...flags, "--no-pager", unit], { encoding: "utf8" });
}

/** The programs are not installed where the tests run. */
function complaintsOf(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "" && !line.includes("is not executable"));
}

/** The agent's unit as systemd reads it with drop-ins: the later setting counts, or adds to a list. */
function agentWith(names: readonly string[]): string {
  const unit = join(mkdtempSync(join(folder, "unit-")), "waggle-agent.service");
  const parts = ["waggle-agent.service", ...names.map((name) => `waggle-agent.service.d/${name}`)];
  writeFileSync(unit, parts.map((part) => readFileSync(`${infra}agent/${part}`, "utf8")).join("\n"));
  return unit;
}
