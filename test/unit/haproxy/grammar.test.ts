import { expect, test } from "vitest";
import { importConfig } from "../../../src/haproxy/import.ts";

const rest = `
frontend web
 bind :80
 default_backend app
backend app
 server a 10.0.0.1:80
`;

/** The messages for a file with these lines before a frontend and its backend. */
function errors(lines: string, env = {}): string[] {
  return importConfig(`${lines}\ndefaults\n mode http${rest}`, env).errors.map(
    ({ line, message }) => `${line}: ${message}`,
  );
}

test.each([
  ["peers p\n peer a 10.0.0.1:1024", "peers p\n pear a 10.0.0.1:1024"],
  ["resolvers r\n nameserver a 10.0.0.1:53\n hold valid 10s", "resolvers r\n hold vald 10s"],
  ["userlist u\n group g users a\n user a password x", "userlist u\n usr a"],
  ["mailers m\n mailer a 10.0.0.1:25", "mailers m\n maler a 10.0.0.1:25"],
  ["program p\n command /bin/x y", "program p\n comand /bin/x"],
  ["cache c\n total-max-size 4\n max-age 60", "cache c\n total-max-sizes 4"],
  ["http-errors e\n errorfile 404 /e/404.http", "http-errors e\n errofile 404 /e/404.http"],
  ["ring r\n format rfc3164\n size 32768", "ring r\n fromat rfc3164"],
  ["log-forward l\n dgram-bind :514\n log 10.0.0.1 local0", "log-forward l\n dgrambind :514"],
  ["fcgi-app f\n docroot /x\n option keep-conn", "fcgi-app f\n docrot /x"],
  ["global\n tune.bufsize 16384\n nbthread 2", "global\n tune.buffsize 16384"],
])("[I24] the keywords of a section are known, and a misspelled one is refused: %j", (valid, invalid) => {
  expect(errors(valid)).toEqual([]);
  expect(errors(invalid)).toEqual([expect.stringMatching(/^[23]: .*did you mean/)]);
});

test("[I25] lines in a block whose condition does not hold are not read", () => {
  const block = (condition: string) =>
    errors(`.if ${condition}\n nonsense\n.elif 1\nglobal\n.else\n x\n.endif`);
  expect(block("defined(NO_SUCH)")).toEqual([]);
  expect(block("version_before(2.0) || !feature(OPENSSL)")).toEqual([]);
  expect(block('streq("$A",b) && (1 || 0)')).toEqual([]);
  expect(errors('.if streq("$A",b)\n nonsense\n.endif', { A: "b" })).toEqual([
    expect.stringContaining('2: "nonsense" is before any section'),
  ]);
  expect(block("defnied(X)")[0]).toContain("cannot read the condition");
  for (const [lines, message] of [
    [".else", ".else has no .if before it"],
    [".if 1\n.else\n.elif 1\n.endif", ".elif is not possible after .else"],
    [".alert no", "stops here with .alert: no"],
    [".notise x", "did you mean .notice?"],
  ] as const) {
    expect(errors(lines).join()).toContain(message);
  }
});

test("[I25] variables that the global section sets apply to the lines after it", () => {
  const text =
    // biome-ignore lint/suspicious/noTemplateCurlyInString: HAProxy's syntax
    'global\n setenv A 1\n presetenv A 2\n presetenv PORT 8081\ndefaults\n mode http\nlisten w\n bind ":$PORT"\n server a 10.0.0.${A}:80';
  const { services } = importConfig(text, {});
  expect([services[0]?.ports, services[0]?.servers[0]?.spec.host]).toEqual([[8081], "10.0.0.1"]);
  expect(importConfig(text, { A: "7" }).services[0]?.servers[0]?.spec.host).toBe("10.0.0.1");
});

test("[I26] an address has variables outside of quotes as well; one that is not set is reported", () => {
  const { services, diagnostics } = importConfig(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: HAProxy's syntax
    "defaults\n mode http\nlisten w\n bind :80\n server a $HOST:${PORT}\n server b 10.0.0.1:80${NONE}\n",
    { HOST: "10.0.0.2", PORT: "81" },
  );
  expect(services[0]?.servers.map(({ spec }) => `${spec.host}:${spec.port}`)).toEqual([
    "10.0.0.2:81",
    "10.0.0.1:80",
  ]);
  expect(diagnostics.filter(({ line }) => line === 6).map(({ note }) => note)).toContain(
    "NONE is not set: nothing was inserted for it",
  );
});

test.each([
  ["backend app\n http-request deny if inside", 'acl "inside" is not defined above'],
  ["backend app\n stick on src table t", "stick table t is not defined"],
  ["backend app\n use-server b if TRUE", "server b is not defined"],
  ["backend app\n server b 10.0.0.1:80 resolvers dns", "resolvers section dns is not defined"],
  ["backend app\n http-request cache-use c", "cache c is not defined"],
  ["backend app\n http-request auth unless { http_auth(staff) }", "userlist staff is not defined"],
  ["backend app\n server a 10.0.0.1:80\n server a 10.0.0.2:80", "server a is already defined at line 4"],
  ["backend app\n http-request track-sc0 src_conn_rate", "stick table app is not defined"],
  ["frontend f\n use_backend ap if TRUE\nbackend app", "backend ap is not defined: did you mean app?"],
])("[I27] a name that the file does not define is an error: %j", (lines, message) => {
  const found = importConfig(`defaults\n mode http\n${lines}\n`, {}).errors;
  expect(found.map((error) => error.message).join()).toContain(message);
});

test("[I24] a defaults section of a name applies to sections that inherit from it", () => {
  const text =
    "defaults a\n mode http\ndefaults b from a\n balance source\nlisten w from b\n bind :80\n server s 10.0.0.1:80\ndefaults\n mode tcp\n";
  expect(importConfig(text, {}).services[0]?.labels["waggle.balance"]).toBe("source");
  expect(errors("listen w :80").join()).toContain(
    'a word after its name: ":80": write addresses as bind lines',
  );
});
