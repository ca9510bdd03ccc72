// Holds OpenAPI documents against the schema of OpenAPI 3.1 and each of their schemas against JSON Schema 2020-12.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

async function faults(document) {
  const validator = new Validator();
  const result = await validator.validate(structuredClone(document));
  if (!result.valid) return result.errors;
  validator.resolveRefs();
  const ajv = addFormats(new Ajv({ strict: false }));
  ajv.addSchema(document, "doc");
  return Object.keys(document.components.schemas).flatMap((name) => {
    try {
      return ajv.compile({ $ref: `doc#/components/schemas/${name}` }) ? [] : [name];
    } catch (error) {
      return [`${name}: ${error.message}`];
    }
  });
}

let failed = false;
for (const file of process.argv.slice(2)) {
  const document = JSON.parse(readFileSync(file, "utf8"));
  const found = await faults(document);
  // The validator must be one that finds something.
  const spoiled = structuredClone(document);
  delete spoiled.info.title;
  if (!(await faults(spoiled)).length) found.push("a document without a title was let through");
  console.log(`${found.length ? "FAILED" : "valid "} ${file}`);
  if (found.length) console.log(JSON.stringify(found, null, 2));
  failed ||= found.length > 0;
}
process.exit(failed ? 1 : 0);
