// Pages in Chromium while they refresh: numbers change, and nothing on the page moves.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unwrap } from "../../src/domain/model/error.ts";
import { type Browser, chromiumPath, launchBrowser, noChromium } from "../support/browser.ts";
import { serveDashboard, serverToken } from "../support/dashboard-server.ts";
import type { TestServer } from "../support/serve.ts";
import { newTelemetry } from "../support/telemetry.ts";
import { until } from "../support/until.ts";
import { TestMesh } from "../unit/registry/harness.ts";
import { delta, entryDelta, taskDelta } from "../unit/telemetry/deltas.ts";

const skipPrefix = chromiumPath === null ? "skipped: " : "";

describe.skipIf(chromiumPath === null)(
  `${skipPrefix}pages that refresh${skipPrefix && ` (${noChromium})`}`,
  () => {
    const mesh = new TestMesh();
    const telemetry = newTelemetry();
    let browser: Browser;
    let server: TestServer;
    let seq = 0;

    beforeAll(async () => {
      for (const name of ["node1", "node2", "node3"]) mesh.node(name);
      const ports = [{ target: 80, published: 8080, mode: "ingress" as const }];
      mesh.service("my-web", { ports, mode: { kind: "replicated", replicas: 6 } });
      mesh.service("api", { mode: { kind: "replicated", replicas: 3 } });
      mesh.work();
      [browser, server] = await Promise.all([launchBrowser(), serveDashboard(mesh, telemetry)]);
      countRequests(40);
    });

    afterAll(async () => {
      await browser?.close();
      await server?.stop();
    });

    function countRequests(requests: number): void {
      const { id, spec } = unwrap(mesh.registry.service("my-web"));
      const [node] = mesh.registry.nodes();
      const [task] = mesh.tasks("my-web");
      const latencies = Array.from({ length: requests }, (_, index) => 5 + (index % 90));
      const about = {
        service: { id, name: spec.name },
        node: { id: node?.id ?? "", name: node?.hostname ?? "" },
      };
      const ofTask = { id: task?.id ?? "", nodeId: task?.nodeId ?? "", serviceId: id };
      seq += 1;
      telemetry.count(
        delta(seq, {
          entries: [entryDelta({ requests, responses2xx: requests }, latencies, about)],
          tasks: [taskDelta({ requests, attempts: requests }, latencies, ofTask)],
        }),
      );
    }

    test.each(
      ["", "services", "services/my-web", "nodes", "nodes/node1", "routing", "events"].flatMap((path) =>
        [360, 1_280].map((width) => [path, width] as const),
      ),
    )("[G90] nothing moves on /dashboard/%s at %i pixels while its numbers change", async (path, width) => {
      const context = await browser.newContext({ viewport: { width, height: 900 } });
      const page = await context.newPage();
      await page.goto(`http://${server.host}/dashboard/`);
      await page.getByLabel("Mesh token").fill(serverToken);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.locator("#health").waitFor();
      await page.goto(`http://${server.host}/dashboard/${path}`);
      await page.locator("#freshness[data-state=polling]").waitFor();
      await page.evaluate(countRefreshes);
      const before = await page.evaluate<Places>(placesOf);
      expect(Object.keys(before).length).toBeGreaterThan(1);
      for (const requests of [7, 300, 4_000]) {
        countRequests(requests);
        const refreshes = await page.evaluate("window.refreshes");
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
        await until(
          "the page to refresh",
          async () => (await page.evaluate("window.refreshes")) !== refreshes,
        );
        const moved = Object.entries(await page.evaluate<Places>(placesOf)).filter(
          ([name, place]) => before[name] !== undefined && before[name] !== place,
        );
        expect(moved.map(([name, place]) => `${name}: ${before[name]} → ${place}`)).toEqual([]);
      }
      await context.close();
    });
  },
);

/** `x,y` of each heading, row heading and part, by its text or id. */
type Places = Readonly<Record<string, string>>;

const placesOf = `Object.fromEntries([...document.querySelectorAll("h1, h2, th, dt, .chip, [data-part]")]
  .filter((element) => element.closest("details") === null)
  .map((element) => {
  const { left, top } = element.getBoundingClientRect();
  const name = element.id || element.tagName + " " + (element.ariaLabel ?? element.firstChild?.textContent);
  return [name, Math.round(left) + "," + Math.round(top)];
}))`;

/** Counts refreshes two frames after their response, when the page has been laid out again. */
const countRefreshes = `{
  window.refreshes = 0;
  const original = window.fetch;
  window.fetch = async (...args) => {
    const response = await original(...args);
    requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => { window.refreshes += 1; })));
    return response;
  };
}`;
