// The systemd units of infra/, read by systemd itself.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { missingPrograms } from "../support/program.ts";

const infra = fileURLToPath(new URL("../../infra/", import.meta.url));
const units = readdirSync(infra, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".service"),
);
const isMissing = missingPrograms(["systemd-analyze"]).length > 0;
const reason = isMissing ? " (skipped: no systemd-analyze; apt-get install systemd)" : "";

describe.skipIf(isMissing)(`systemd units${reason}`, () => {
  test("[U110] infra/ has a unit for the agent and one for a mesh", () => {
    expect(units.sort()).toEqual(["agent/waggle-agent.service", "self-host/waggle.service"]);
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

  test("[U140] with an ingress the agent has one capability, and its exposure is below 3.0", () => {
    const folder = mkdtempSync(join(tmpdir(), "waggle-unit-"));
    const unit = join(folder, "waggle-agent.service");
    const parts = ["agent/waggle-agent.service", "agent/waggle-agent.service.d/ingress.conf"];
    // As systemd reads a unit with a drop-in: the later setting counts, or adds to a list.
    writeFileSync(unit, parts.map((name) => readFileSync(infra + name, "utf8")).join("\n"));
    const options = ["security", "--offline=true", "--no-pager", "--json=short", unit];
    const { stdout } = spawnSync("systemd-analyze", options, { encoding: "utf8" });
    const findings = JSON.parse(stdout) as { json_field: string; set: boolean | null }[];
    const granted = findings.filter(
      ({ json_field, set }) => json_field.startsWith("CapabilityBoundingSet_") && !set,
    );
    expect(granted.map(({ json_field }) => json_field)).toEqual([
      expect.stringMatching(/^CapabilityBoundingSet_CAP_NET_BIND_SERVICE/),
    ]);
    const report = spawnSync("systemd-analyze", ["security", "--offline=true", "--no-pager", unit], {
      encoding: "utf8",
    }).stdout;
    expect(Number(/Overall exposure level for \S+: ([\d.]+)/.exec(report)?.[1]), report).toBeLessThan(3);
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", unit], { encoding: "utf8" });
    expect(stderr.split("\n").filter((line) => line !== "" && !line.includes("is not executable"))).toEqual(
      [],
    );
    rmSync(folder, { recursive: true });
  });

  test.each(units)("[U110] %s has only settings that systemd knows", (unit) => {
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", infra + unit], {
      encoding: "utf8",
    });
    // The programs are not installed where the tests run.
    const complaints = stderr
      .split("\n")
      .filter((line) => line !== "" && !line.includes("is not executable"));
    expect(complaints).toEqual([]);
  });
});
