import { expect, test } from "vitest";
import { unwrap } from "../../../src/domain/model/error.ts";
import { aServerSpec } from "../../support/servers.ts";
import { operatorToken, TestDashboard } from "./support.ts";

const published = (port: number) => ({
  EndpointSpec: { Ports: [{ Protocol: "tcp", TargetPort: 80, PublishedPort: port }] },
});

async function meshWithRoutes() {
  const dashboard = new TestDashboard();
  await dashboard.signIn(operatorToken);
  dashboard.service("shop", {
    ...published(8081),
    Labels: {
      "waggle.host": "shop.test",
      "waggle.sticky": "lb",
      "waggle.canary": "shop-next",
      "waggle.canary.weight": "10%",
    },
  });
  dashboard.service("shop-next", published(8082));
  dashboard.service("api", {
    ...published(8083),
    Labels: { "waggle.path": "/api", "waggle.at": "shop", "waggle.balance": "source" },
  });
  dashboard.service("db", { ...published(5432), Labels: { "waggle.mode": "tcp" } });
  const legacy = dashboard.service("legacy", { ...published(8084), Mode: { Replicated: { Replicas: 0 } } });
  const { registry } = dashboard.mesh;
  for (const name of ["a", "b"])
    unwrap(registry.addServer(legacy, { spec: aServerSpec({ name }), admin: "ready" }, "operator"));
  const [first] = unwrap(registry.servers(legacy));
  unwrap(registry.setAdmin({ kind: "server", ref: first?.id ?? "" }, "maint", "operator"));
  return dashboard;
}

/** The cells of each row, by their text. */
function rowsOf(html: string): readonly string[] {
  const table = html.split('id="routes"')[1]?.split("</section>")[0] ?? "";
  return table
    .split("<tr>")
    .slice(2)
    .map((row) =>
      row
        .replace(/<svg.*?<\/svg>/g, "")
        .replace(/<\/t[hd]>/g, " | ")
        .replace(/<[^>]*>/g, " ")
        .replace(/\s+/g, " ")
        .trim(),
    );
}

test("[G82] the routes page lists each port, host name and path with its service, policy, affinity, canary and targets", async () => {
  const dashboard = await meshWithRoutes();
  const rows = rowsOf((await dashboard.ask("GET /dashboard/routing")).text);
  for (const row of [
    /^8081 \| any \| any \| shop to port 80 \| 2\/2 up \| roundrobin \| cookie lb \| 10 % to shop-next \| Explain/,
    /^any \| shop\.test \| any \| shop \| 2\/2 up/,
    /^8081 \| any \| \/api… \| api \| 2\/2 up \| source \| hash of the client(&#39;|')s address/,
    /^5432 tcp \| any \| any \| db to port 80 \| .* \| TCP \|/,
    /^8084 \| any \| any \| legacy to port 80 \| 1\/2 up/,
  ])
    expect(rows).toContainEqual(expect.stringMatching(row));
});

test("[G82] the filter keeps the routes that contain its text, and a row leads to its explanation", async () => {
  const dashboard = await meshWithRoutes();
  const { text } = await dashboard.ask("GET /dashboard/routing?q=shop.test");
  expect(rowsOf(text)).toHaveLength(1);
  const [, href = ""] = /href="([^"]*url=http[^"]*)"/.exec(text) ?? [];
  const explained = await dashboard.ask(`GET ${href.replaceAll("&amp;", "&")}`);
  expect(explained.text).toContain("<ol");
  expect(explained.text).toMatch(/<a href="\/dashboard\/services\/shop">shop<\/a>/);
});
