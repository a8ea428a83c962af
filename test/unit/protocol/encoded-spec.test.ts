import { expect, test } from "vitest";
import { encodedSpec } from "../../../src/protocol/engine/encoded-spec.ts";
import { readServiceSpec } from "../../../src/protocol/engine/read-service.ts";
import { everyField } from "../../support/engine-api/every-field.ts";
import { serviceSpec } from "../../support/engine-api/service-spec.ts";
import { running, TestControl } from "../control/support.ts";

const bare = {
  Name: "web",
  Labels: {},
  TaskTemplate: { ContainerSpec: { Image: "a" }, ForceUpdate: 0 },
  Mode: { Replicated: { Replicas: 1 } },
};

test("[A401] a spec is shown without empty values, null and fields that the API does not have", () => {
  const careless = {
    Labels: null,
    Name: "web",
    Odd: 1,
    TaskTemplate: {
      ContainerSpec: { Image: "a", Args: [], Env: null, Labels: {}, TTY: false, Hostname: "", Odd: {} },
      Resources: null,
      Placement: null,
      Networks: [],
    },
    UpdateConfig: null,
  };
  expect(readServiceSpec(careless).document).toEqual(bare);
});

test("[A401] a Spec has its fields in dockerd's order, also with the defaults that apply", async () => {
  const control = new TestControl();
  await control.create("my-web", running({ Args: ["x"], Image: "a" }));
  for (const query of ["", "?insertDefaults=true"]) {
    const { Spec } = (await control.ask(`GET /services/my-web${query}`)).json;
    const order = [
      "Name",
      "Labels",
      "TaskTemplate",
      "Mode",
      "UpdateConfig",
      "RollbackConfig",
      "EndpointSpec",
    ];
    expect(Object.keys(Spec)).toEqual(order.filter((name) => name in Spec));
    expect(Object.keys(Spec.TaskTemplate.ContainerSpec).slice(0, 2)).toEqual(["Image", "Args"]);
  }
});

test("[A401] what a client may have meant by a zero is kept: a pointer's value, and a struct without values", () => {
  const template = {
    ContainerSpec: { Image: "a", Init: false, StopGracePeriod: 0, DNSConfig: {} },
    Resources: { Limits: {} },
    RestartPolicy: { Delay: 0, MaxAttempts: 0 },
    Placement: {},
    ForceUpdate: 3,
  };
  expect(encodedSpec({ ...bare, TaskTemplate: template })).toEqual({ ...bare, TaskTemplate: template });
});

test("[A401] values that Go always writes are those that apply", () => {
  const sent = { ...bare, UpdateConfig: {}, EndpointSpec: { Ports: [{ TargetPort: 80, Protocol: "TCP" }] } };
  expect(readServiceSpec(sent).document).toEqual({
    ...bare,
    UpdateConfig: { Parallelism: 1, MaxFailureRatio: 0, Order: "start-first" },
    EndpointSpec: { Ports: [{ Protocol: "tcp", TargetPort: 80, PublishMode: "ingress" }] },
  });
});

test("[A401] a file without an owner and a mode has those that apply", () => {
  const Secrets = [{ SecretID: "s", SecretName: "a", File: { Name: "a" } }];
  const template = { ContainerSpec: { Image: "a", Secrets } };
  expect(encodedSpec({ ...bare, TaskTemplate: template })).toMatchObject({
    TaskTemplate: { ContainerSpec: { Secrets: [{ File: { Name: "a", UID: "0", GID: "0", Mode: 0o444 } }] } },
  });
});

test("[A401] a spec with every field of the API is shown as it was sent, and has its schema", () => {
  const sent = { Name: "full", ...everyField("a") };
  const shown = encodedSpec(sent);
  expect(serviceSpec(51).safeParse(shown).error?.issues).toBe(undefined);
  expect(shown).toEqual(sent);
});

test("[A401] a service that a client sends back as it was read keeps its version and its tasks", async () => {
  const control = new TestControl();
  await control.create("my-web", { ...running({ Args: [], TTY: false, Env: null }), Labels: null, Odd: 1 });
  const before = control.mesh.tasks().map(({ id }) => id);
  expect((await control.update("my-web", (read) => read)).status).toBe(200);
  control.mesh.work();
  expect((await control.ask("GET /services/my-web")).json.Version.Index).toBe(1);
  expect(control.mesh.tasks().map(({ id }) => id)).toEqual(before);
});
