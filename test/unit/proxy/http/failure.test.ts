import { expect, test } from "vitest";
import { failureResponse } from "../../../../src/proxy/http/failure.ts";

const failure = { status: 503, reason: 'service <b>"x"</b> has no live task' } as const;
const typeFor = (accept: string | null) =>
  failureResponse(failure, "GET", accept, "id").headers.get("content-type");

test("[X44] a failure is a page if Accept names HTML with a higher weight than JSON", () => {
  const html = "text/html; charset=utf-8";
  expect(typeFor("text/html,application/xhtml+xml,*/*;q=0.8")).toBe(html);
  expect(typeFor("application/json;q=0.5, text/html;q=0.9")).toBe(html);
  for (const accept of [
    null,
    "",
    "*/*",
    "application/json",
    "application/json, text/html;q=0.9",
    "text/html;q=0",
    "text/plain",
  ]) {
    expect(typeFor(accept)).toBe("application/json");
  }
});

test("[X44] the reason is escaped on the page", async () => {
  const page = await failureResponse(failure, "GET", "text/html", "id").text();
  expect(page).toContain("service &lt;b&gt;&quot;x&quot;&lt;/b&gt; has no live task.");
});

test("[X44] [A70] a failure has no-store, nosniff and Retry-After, and no body for HEAD", async () => {
  const response = failureResponse(failure, "HEAD", null, "id");
  expect(await response.text()).toBe("");
  expect(Object.fromEntries(response.headers)).toEqual({
    "cache-control": "no-store",
    "content-type": "application/json",
    "retry-after": "1",
    "x-content-type-options": "nosniff",
    "x-request-id": "id",
  });
});
