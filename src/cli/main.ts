// The waggle command's process.

import Module from "node:module";
import { cacheFolder } from "../package/program-files.ts";

// Caches the stripped and compiled sources, which halves the time of a short command. The cache is in the
// package's own folder, because other users of the machine share the default one. bin/waggle sets
// NODE_COMPILE_CACHE, so that this file is cached too; tasks and agents must not inherit the variable. Node 20
// has no such cache.
Module.enableCompileCache?.(cacheFolder);
if (process.env.NODE_COMPILE_CACHE === cacheFolder) delete process.env.NODE_COMPILE_CACHE;

// Imported after the compile cache is enabled, so that it covers these modules.
const { exitOnOutputError, processCli } = await import("./process-cli.ts");
const { run } = await import("./program.ts");
exitOnOutputError();
process.exitCode = await run(process.argv.slice(2), processCli);
