// Parses each argument with the grammar of Grafana's editor; exits with 1 at the first error.
// Run where the packages @grafana/lezer-logql and @lezer/lr are installed.
import { parser } from "@grafana/lezer-logql";

for (const query of process.argv.slice(1)) {
  parser.parse(query).iterate({
    enter({ type, from }) {
      if (!type.isError) return;
      console.error(`no LogQL at ${JSON.stringify(query.slice(from, from + 20))} in:\n${query}`);
      process.exit(1);
    },
  });
}
