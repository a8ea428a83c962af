import { memoryDatabase } from "../../support/sqlite.ts";
import { storeContract } from "../../support/store-contract.ts";

storeContract("node:sqlite", async (work) => work(memoryDatabase()));
