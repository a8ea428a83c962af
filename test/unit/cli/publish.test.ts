import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PublishSpec, parsePublish } from "../../../src/cli/publish.ts";

const tcp = (target: number, published?: number): PublishSpec => ({
  Protocol: "tcp",
  TargetPort: target,
  PublishMode: "ingress",
  ...(published !== undefined && { PublishedPort: published }),
});

describe("[L3] both of Docker's syntaxes are parsed", () => {
  const cases: [string, PublishSpec[]][] = [
    ["published=8080,target=80", [tcp(80, 8080)]],
    ["target=80", [tcp(80)]],
    ["published=0,target=80", [tcp(80)]],
    ["Published=8080,TARGET=80,Mode=HOST", [{ ...tcp(80, 8080), PublishMode: "host" }]],
    ["target=53,protocol=udp", [{ ...tcp(53), Protocol: "udp" }]],
    ["8080:80", [tcp(80, 8080)]],
    ["80", [tcp(80)]],
    [":80", [tcp(80)]],
    ["8080:80/tcp", [tcp(80, 8080)]],
    ["8080:53/UDP", [{ ...tcp(53, 8080), Protocol: "udp" }]],
    ["80-82", [tcp(80), tcp(81), tcp(82)]],
    ["8080-8082:80-82", [tcp(80, 8080), tcp(81, 8081), tcp(82, 8082)]],
    ["8080-8081:80", [tcp(80, 8080), tcp(80, 8081)]],
    ["65535:65535", [tcp(65_535, 65_535)]],
  ];
  test.each(cases)("[L3] %s", (text, expected) => {
    expect(parsePublish(text)).toEqual(expected);
  });
});

describe("[L3] an invalid published port is refused with Docker's text", () => {
  const cases: [string, string][] = [
    ["published=8080", "missing mandatory field 'target'"],
    ["target=0", "missing mandatory field 'target'"],
    ["foo", "invalid containerPort: foo"],
    ["", "no port specified: <empty>"],
    ["8080:", "no port specified: 8080:<empty>"],
    ["target=80,foo", "invalid field: foo"],
    ["target=80,", "invalid field: "],
    ["a=b,target=1", "invalid field key: a"],
    ["target=80,mode=x", "invalid publish mode value (x): must be either 'ingress' or 'host'"],
    ["target=80,protocol=x", "invalid protocol value 'x'"],
    ["8080:80/xyz", "invalid proto: xyz"],
    ["target=a", "invalid target port (a): value must be an integer: invalid syntax"],
    ["target=65536", "invalid target port (65536): value must be an integer: value out of range"],
    ["published=80-81,target=80", "invalid published port (80-81): value must be an integer: invalid syntax"],
    ["65536:80", "invalid hostPort: 65536"],
    ["8080:65536", "invalid containerPort: 65536"],
    ["x:80", "invalid hostPort: x"],
    ["-1", "invalid containerPort: -1"],
    ["0", "invalid target port: 0"],
    ["8080-8070:80-70", "invalid containerPort: 80-70"],
    ["8080-8082:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8080-8082"],
    ["127.0.0.1:8080:80", "hostip is not supported"],
    ["[::1]:8080:80", "hostip is not supported"],
    ["80:80:80", "invalid IP address: 80"],
  ];
  test.each(cases)("[L3] %s", (text, message) => {
    expect(() => parsePublish(text)).toThrow(expect.objectContaining({ message, exitCode: 2 }));
  });
});

test("[L3] every publish spec is parsed from its long syntax", () => {
  const anyPort = fc.integer({ min: 1, max: 65_535 });
  const spec = fc.record(
    {
      TargetPort: anyPort,
      PublishedPort: anyPort,
      Protocol: fc.constantFrom("tcp" as const, "udp" as const, "sctp" as const),
      PublishMode: fc.constantFrom("ingress" as const, "host" as const),
    },
    { requiredKeys: ["TargetPort", "Protocol", "PublishMode"] },
  );
  fc.assert(
    fc.property(spec, (port) => {
      expect(parsePublish(longText(port))).toEqual([port]);
    }),
  );
});

function longText({ PublishedPort: port, TargetPort, Protocol, PublishMode }: PublishSpec): string {
  const published = port === undefined ? "" : `published=${port},`;
  return `${published}target=${TargetPort},protocol=${Protocol},mode=${PublishMode}`;
}

test("[L3] any text is parsed or refused with a usage error", () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[0-9:/=,\-a-z[\]. ]{0,24}$/),
    fc.stringMatching(/^(published|target|mode|protocol)=[0-9a-z]{0,6}(,(published|target)=[0-9]{0,6})?$/),
  );
  fc.assert(
    fc.property(text, (argument) => {
      const specs = resultOf(() => parsePublish(argument));
      if (specs instanceof Error) expect(specs).toMatchObject({ name: "CliError", exitCode: 2 });
      else for (const spec of specs) expect(spec.TargetPort).toBeGreaterThan(0);
    }),
  );
});

function resultOf<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return error as Error;
  }
}
