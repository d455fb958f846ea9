// Holds dashboards against the types of Grafana's own schema: each file's text becomes a typed constant, and the compiler
// says what does not fit. The options of a panel are held against the types of its kind.
const fs = require("fs");
const path = require("path");
const ts = require("typescript");

const KINDS = {
  stat: "StatPanelCfg_types.gen.d.ts",
  table: "TablePanelCfg_types.gen.d.ts",
  timeseries: "TimeSeriesPanelCfg_types.gen.d.ts",
};

const files = process.argv.slice(2);
const folder = path.join(__dirname, "generated");
fs.mkdirSync(folder, { recursive: true });

// A plain text stands for a member of an enumeration of texts.
const HEAD = `import type { Dashboard } from "@grafana/schema/dist/types/raw/dashboard/x/dashboard_types.gen.d.ts";
type Plain<T> = T extends string ? \`\${T}\` : T extends Array<infer U> ? Array<Plain<U>>
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
`;

let panels = 0;
const made = files.map((file) => {
  const dashboard = JSON.parse(fs.readFileSync(file, "utf8"));
  let text = `${HEAD}export const dashboard: Plain<Dashboard> = ${JSON.stringify(dashboard, null, 1)};\n`;
  for (const panel of dashboard.panels.filter((panel) => panel.type !== "row")) {
    const kind = KINDS[panel.type];
    if (!kind) throw new Error(`${file}: ${panel.title}: no types are known for ${panel.type}`);
    const folder = panel.type;
    panels += 1;
    text += `import type { Options as O${panel.id} } from "@grafana/schema/dist/types/raw/composable/${folder}/panelcfg/x/${kind}";\n`;
    text += `export const options${panel.id}: Plain<Partial<O${panel.id}>> = ${JSON.stringify(panel.options)};\n`;
  }
  const target = path.join(folder, `${path.basename(file)}.ts`);
  fs.writeFileSync(target, text);
  return target;
});

const program = ts.createProgram(made, {
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  target: ts.ScriptTarget.ES2022,
  types: [],
});
const wrong = ts.getPreEmitDiagnostics(program);
for (const one of wrong) {
  const at = one.file ? `${path.basename(one.file.fileName)}:${one.file.getLineAndCharacterOfPosition(one.start).line + 1}: ` : "";
  console.error(at + ts.flattenDiagnosticMessageText(one.messageText, "\n"));
}
console.log(`${files.length} dashboards, ${panels} panels, ${wrong.length} complaints`);
process.exit(wrong.length === 0 && files.length > 0 ? 0 : 1);
