// The expected response of an HTTP check: HAProxy's `http-check expect`.

import type { Expect } from "./server.ts";

const statusRange = /^(\d{3})(?:-(\d{3}))?$/;

/** True for `200`, `200-399`, `200,204,300-399`. */
export function isStatusList(text: string): boolean {
  return text.split(",").every((part) => statusRange.test(part));
}

/** True if a status is as expected; without `expect`, 2xx and 3xx. Null if the body decides. */
export function matchesStatus(expect: Expect | null, status: number): boolean | null {
  if (expect === null) return status >= 200 && status < 400;
  if (expect.kind === "status") return isInStatusList(expect.pattern, status) !== expect.not;
  if (expect.kind === "rstatus") return new RegExp(expect.pattern).test(String(status)) !== expect.not;
  return null;
}

/** True if a body is as expected; only for `string` and `rstring`. */
export function matchesBody(expect: Expect, body: string): boolean {
  const isMatch =
    expect.kind === "rstring" ? new RegExp(expect.pattern).test(body) : body.includes(expect.pattern);
  return isMatch !== expect.not;
}

function isInStatusList(list: string, status: number): boolean {
  return list.split(",").some((part) => {
    const [, from, to] = statusRange.exec(part) ?? [];
    return status >= Number(from) && status <= Number(to ?? from);
  });
}
