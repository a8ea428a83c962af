import { expect, test } from "vitest";
import { runCli } from "./support.ts";

test.each([
  [["stack", "deploy", "-c", "x.yml", "shop"], "stack", /: docker stack, with DOCKER_HOST/],
  [["secret", "ls"], "secret", /: docker secret, with DOCKER_HOST/],
  [["ps"], "ps", /: docker ps, with DOCKER_HOST/],
  [["run", "nginx"], "run", /a mesh runs services/],
  [["exec", "my-web.1", "sh"], "exec", /waggle task ls shows the node/],
  [["pull", "nginx"], "pull", /nodes have images/],
  [["volume", "ls"], "volume", /use docker on the node/],
  [["compose", "up"], "compose", /: docker stack deploy -c compose\.yaml NAME, with/],
  [["logout"], "logout", /waggle context rm/],
])("[U581] waggle %j says what to use in place of Docker's command", async (args, word, hint) => {
  const { code, out, err } = await runCli(args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  const [first, second = "", ...more] = err.trimEnd().split("\n");
  expect(first).toBe(`waggle: unknown command '${word}'`);
  expect(second).toMatch(hint);
  expect(more).toEqual([]);
});

test.each([
  [["node", "promote", "node1"], /: docker node promote, with DOCKER_HOST/],
  [["node", "update", "--role", "manager", "node1"], /: docker node promote, with DOCKER_HOST/],
  [["swarm", "init"], /a mesh is made by waggle up/],
  [["swarm", "join-token", "worker"], /waggle join-token prints it/],
  [["swarm", "leave"], /a node leaves when its agent stops/],
])("[U581] waggle %j says what to use in place of Docker's second word", async (args, hint) => {
  const { code, err } = await runCli(args);
  expect(code).toBe(2);
  expect(err.trimEnd().split("\n").at(-1)).toMatch(hint);
  expect(err).not.toContain("Did you mean");
});

test.each([
  ["create", "--mount"],
  ["create", "--health-cmd"],
  ["create", "--secret"],
  ["update", "--network-add"],
  ["update", "--update-failure-action"],
])("[U581] a flag of docker service %s that waggle lacks, %s, leads to Docker's CLI", async (verb, flag) => {
  const { code, err } = await runCli(["service", verb, flag, "x", "y"]);
  expect(code).toBe(2);
  expect(err).toContain(`waggle: unknown option '${flag}'`);
  expect(err).toMatch(new RegExp(`Docker's CLI has it and works with this mesh: docker service ${verb}, `));
});

test("[U581] a flag with its value in the same word gets the advice too", async () => {
  const { code, err } = await runCli(["service", "create", "--mount=type=bind,src=/a b,dst=/b", "nginx"]);
  expect(code).toBe(2);
  expect(err).toMatch(/Docker's CLI has it and works with this mesh: docker service create, /);
});

test.each([[["service", "create", "--gpus", "all", "x"]], [["node", "ls", "--mount", "x"]], [["nosuch"]]])(
  "[U581] a word that Docker's CLI does not have either gets no such advice: %j",
  async (args) => {
    const { code, err } = await runCli(args);
    expect(code).toBe(2);
    expect(err).not.toContain("Docker");
  },
);

test("[U581] a word of Docker's that has no advice here keeps the suggestion of a command", async () => {
  const { code, err } = await runCli(["server", "rmi"]);
  expect({ code, err }).toEqual({ code: 2, err: "waggle: unknown command 'rmi'\n(Did you mean rm?)\n" });
});
