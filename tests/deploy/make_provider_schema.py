"""Write google_provider.json: which arguments the resources in deploy/ take, from the CDK's bindings of the provider.

    pip download --no-deps cdktf-cdktf-provider-google && unzip -d bindings cdktf_cdktf_provider_google-*.whl
    python -m tests.deploy.make_provider_schema bindings/cdktf_cdktf_provider_google

The provider itself tells its schema to Terraform, but it is in no package registry. The bindings (50 MB) are, and are
generated from that schema. An argument is true (required), false (optional) or, for a block, an object of its own.
"""

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.deploy.test_terraform import SCHEMA, resources

META = {"scope", "id_", "connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"}


def main(bindings: Path) -> None:
    """Write the schema of every kind of resource that deploy/ has."""
    kinds = sorted({kind for kind, _, _ in resources()})
    schema = {kind: _schema(bindings, kind.removeprefix("google_")) for kind in kinds}
    SCHEMA.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n")


def _schema(bindings: Path, kind: str) -> dict[str, Any]:
    tree = ast.parse((bindings / kind / "__init__.py").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    [resource] = [name for name in classes if name.casefold() == kind.replace("_", "")]
    return _arguments(classes, resource)


def _arguments(classes: dict[str, ast.ClassDef], name: str) -> dict[str, Any]:
    [init] = [node for node in classes[name].body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    found: dict[str, Any] = {}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        if argument.arg not in META:
            blocks = [
                block
                for block in re.findall(r"[\"'](\w+)[\"']", ast.unparse(argument.annotation or argument))
                if block in classes
            ]
            found[argument.arg] = _arguments(classes, blocks[0]) if blocks else default is None
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
