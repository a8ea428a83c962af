// What a check of `waggle doctor` found, and how it is printed.

/** The areas, in the order in which they are checked. */
export const doctorAreas = ["machine", "mesh", "deploy"] as const;
export type DoctorArea = (typeof doctorAreas)[number];

export type Finding = {
  readonly area: DoctorArea;
  /** The object of the check: `Node`, `port 8787`, `node2`. */
  readonly check: string;
  /** `warn`: works, with a limit. `skip`: could not be checked, and why. */
  readonly result: "ok" | "warn" | "fail" | "skip";
  readonly detail: string;
  /** What to do, one sentence; empty if there is nothing to do. */
  readonly next: string;
};

/** Makes the findings of one area. */
export function findingsOf(area: DoctorArea) {
  const make =
    (result: Finding["result"]) =>
    (check: string, detail: string, next = ""): Finding => ({ area, check, result, detail, next });
  return { ok: make("ok"), warn: make("warn"), fail: make("fail"), skip: make("skip") };
}

const marks: Readonly<Record<Finding["result"], string>> = {
  ok: "ok  ",
  warn: "WARN",
  fail: "FAIL",
  skip: "-   ",
};

/** The findings as lines, an area after the other; what to do follows its finding. */
export function findingLines(findings: readonly Finding[]): readonly string[] {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  return doctorAreas.flatMap((area) => {
    const own = findings.filter((finding) => finding.area === area);
    if (own.length === 0) return [];
    const lines = own.flatMap(({ check, result, detail, next }) => [
      `  ${marks[result]}  ${check.padEnd(width)}  ${detail}`,
      ...(next === "" ? [] : [`        ${"".padEnd(width)}  -> ${next}`]),
    ]);
    return [`${area}:`, ...lines];
  });
}
