import { describe, expect, test } from "vitest";
import { unwrap } from "../../../src/domain/model/error.ts";
import { input } from "../registry/harness.ts";
import { fieldsOf, operatorToken, TestDashboard, viewerToken } from "./support.ts";

async function signedIn(token = operatorToken): Promise<TestDashboard> {
  const dashboard = new TestDashboard();
  dashboard.service("my-web");
  await dashboard.signIn(token);
  return dashboard;
}

/** Sends a form to its confirmation, with the token of the page that has it. */
async function preview(
  dashboard: TestDashboard,
  page: string,
  path: string,
  fields: Readonly<Record<string, string>>,
) {
  const { text } = await dashboard.ask(`GET ${page}`);
  const form = { ...fieldsOf(text, "service-form"), ...fields };
  return dashboard.ask(`POST ${path}`, { form });
}

const edited = {
  image: "my/app:2",
  replicas: "3",
  env: "LOG=debug\nPLACE=a",
  ports: "8080:80\n9000:90/host",
};

describe("[G86] an operator", () => {
  test("[G86] creates a service from the form after its confirmation", async () => {
    const dashboard = await signedIn();
    const fields = { name: "shop", image: "my/shop", replicas: "2", env: "A=b=c", ports: "8099:80" };
    const page = "/dashboard/create-service";
    const confirmation = await preview(dashboard, page, `${page}/preview`, fields);
    expect(confirmation.text).toContain("Create shop?");
    expect(confirmation.text).toContain("It publishes 8099 → 80.");
    expect(dashboard.mesh.registry.services()).toHaveLength(1);
    const done = await dashboard.ask(`POST ${page}`, { form: fieldsOf(confirmation.text, "confirm") });
    expect([done.status, done.location]).toEqual([303, "/dashboard/services/shop"]);
    const { spec, ports } = unwrap(dashboard.mesh.registry.service("shop"));
    expect(spec).toMatchObject({ run: { image: "my/shop", env: ["A=b=c"] }, mode: { replicas: 2 } });
    expect(ports).toMatchObject([{ published: 8099, target: 80, mode: "ingress" }]);
  });

  test("[G86] changes image, replicas, environment and ports, and sees what changes first", async () => {
    const dashboard = await signedIn();
    const path = "/dashboard/services/my-web";
    const confirmation = await preview(dashboard, path, `${path}/edit`, edited);
    for (const change of [
      "image: waggle/whoami:latest → my/app:2",
      "replicas: 2 → 3",
      "env LOG: debug (new)",
      "port 90: 9000 (host) (new)",
    ])
      expect(confirmation.text).toContain(`<li>${change}</li>`);
    const done = await dashboard.ask(`POST ${path}/update`, {
      form: fieldsOf(confirmation.text, "confirm"),
    });
    expect(done.status).toBe(303);
    const { spec } = unwrap(dashboard.mesh.registry.service("my-web"));
    expect(spec.run).toMatchObject({ image: "my/app:2", env: ["LOG=debug", "PLACE=a"] });
    expect(spec.mode).toMatchObject({ replicas: 3 });
  });

  test.each([
    ["image", { image: " " }, "The image is missing"],
    ["replicas", { replicas: "many" }, "cannot read &quot;many&quot; as a number"],
    ["env", { env: "no value" }, "write KEY=value"],
    ["ports", { ports: "eighty" }, "write 8080:80"],
  ])(
    "[G86] a field %s that cannot be read changes nothing, and says what would work",
    async (_field, change, text) => {
      const dashboard = await signedIn();
      const path = "/dashboard/services/my-web";
      const before = unwrap(dashboard.mesh.registry.service("my-web")).version;
      const refused = await preview(dashboard, path, `${path}/edit`, { ...edited, ...change });
      expect(refused.status).toBe(400);
      expect(refused.text.toLowerCase()).toContain(text.toLowerCase());
      expect(unwrap(dashboard.mesh.registry.service("my-web")).version).toBe(before);
    },
  );

  test("[G86] removes a service, unless it changed since the confirmation", async () => {
    const dashboard = await signedIn();
    const path = "/dashboard/services/my-web/remove";
    const page = await dashboard.ask(`GET ${path}`);
    expect(page.text).toContain("Nothing serves port 8080 any more.");
    const service = unwrap(dashboard.mesh.registry.service("my-web"));
    unwrap(
      dashboard.mesh.registry.updateService(
        "my-web",
        service.version,
        input("my-web", { labels: { a: "b" } }),
        "x",
      ),
    );
    const refused = await dashboard.ask(`POST ${path}`, { form: fieldsOf(page.text, "confirm") });
    expect(refused.text).toContain("has changed in the meantime");
    expect((await dashboard.confirm(path)).location).toBe("/dashboard/services");
    expect(dashboard.mesh.registry.services()).toEqual([]);
  });

  test("[G86] removes a node, and reads that it is up", async () => {
    const dashboard = await signedIn();
    const path = "/dashboard/nodes/node2/remove";
    expect((await dashboard.ask(`GET ${path}`)).text).toContain("drain it first");
    await dashboard.confirm(path);
    expect(dashboard.mesh.registry.nodes().map(({ hostname }) => hostname)).toEqual(["node1"]);
  });
});

test.each([
  "GET /dashboard/create-service",
  "POST /dashboard/create-service",
  "POST /dashboard/create-service/preview",
  "POST /dashboard/services/my-web/edit",
  "POST /dashboard/services/my-web/update",
  "GET /dashboard/services/my-web/remove",
  "POST /dashboard/services/my-web/remove",
  "POST /dashboard/nodes/node1/remove",
])(
  "[G87] a viewer is refused %s, and an operator's form without the page's token as well",
  async (request) => {
    const form = { ...edited, name: "other" };
    const isPost = request.startsWith("POST");
    const viewer = await signedIn(viewerToken);
    expect((await viewer.ask(request, isPost ? { form } : {})).status).toBe(403);
    const operator = await signedIn();
    if (isPost) expect((await operator.ask(request, { form })).status).toBe(403);
    for (const { mesh } of [viewer, operator]) {
      expect(mesh.registry.services().map(({ spec }) => spec.run.image)).toEqual(["waggle/whoami:latest"]);
      expect(mesh.registry.nodes()).toHaveLength(2);
    }
  },
);

test("[G87] a viewer sees no button that changes anything", async () => {
  const viewer = await signedIn(viewerToken);
  for (const path of ["services", "services/my-web", "nodes/node1"]) {
    const { text } = await viewer.ask(`GET /dashboard/${path}`);
    expect(text).not.toMatch(/create-service|\/edit|\/remove|service-form/);
  }
});
