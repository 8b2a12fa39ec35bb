// The request of the playground as something to paste.

/** A word for the shell: a quote inside ends the quoting and begins it again. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function curl(base, body, keyed) {
  const key = keyed ? "  -H 'Authorization: Bearer YOUR_KEY' \\\n" : "";
  return `curl ${base}/chat/completions \\\n${key}  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify(body, null, 2))}`;
}

/** JSON as a Python literal; none of our bodies has null, and true and false are spelt here. */
function literal(value, indent) {
  const inside = `${indent}    `;
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[\n${value.map((each) => inside + literal(each, inside)).join(",\n")},\n${indent}]`;
  if (value && typeof value === "object")
    return `{${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${literal(each, inside)}`).join(", ")}}`;
  return JSON.stringify(value);
}

export function python(base, body, keyed) {
  const rest = Object.entries(body).map(([key, value]) => `    ${key}=${literal(value, "    ")},`).join("\n");
  return `from openai import OpenAI\n\nclient = OpenAI(base_url=${JSON.stringify(base)}, api_key="${keyed ? "YOUR_KEY" : "none"}")\nanswer = client.chat.completions.create(\n${rest}\n)\nfor chunk in answer:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="", flush=True)`;
}
