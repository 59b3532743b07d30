"""Puts together the files of a release, from binaries that are built already.

    python deploy/package.py --version 0.1.0 --out FOLDER --binaries arm64=FOLDER --binaries x86_64=FOLDER

A folder of binaries holds NAME/bootstrap, as `cargo lambda build` leaves them, or NAME. The same input gives the same
bytes, so that anybody can check a release by building it again.
"""

import argparse
import hashlib
import io
import json
import os
import pathlib
import shutil
import sys
import zipfile

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What is a file of the release as it is in the repository.
AS_THEY_ARE = ["LICENSE", "CHANGELOG.md", "deploy/install.sh", "deploy/watch.yaml", "deploy/chat.yaml", "deploy/terraform"]

# Where CloudFormation finds the functions. deploy/install.sh and deploy/terraform set both.
CODE = {
    "CodeBucket": "The bucket, in the region of the stack, that holds the zip files of the release.",
    "CodePrefix": "The beginning of their keys, without a slash at its end. Another one for each release: Lambda takes new code only from a new key.",
}


class NoManagedPolicies:
    """SAM looks up AWS's managed policies by name; the template names none."""

    def load(self):
        return {}


def functions(template):
    """The binary of each function, by its logical id."""
    return {
        name: it["Metadata"]["BuildProperties"]["Binary"]
        for name, it in template["Resources"].items()
        if it["Type"] == "AWS::Serverless::Function"
    }


def plain(template):
    """The template without SAM: CloudFormation takes it as it is, and so do StackSets and a reviewer's tools."""
    names = functions(template)
    for name, binary in names.items():
        key = {"Fn::Sub": "${CodePrefix}/" + binary + "-${Architecture}.zip"}
        template["Resources"][name]["Properties"]["CodeUri"] = {"Bucket": {"Ref": "CodeBucket"}, "Key": key}
    for name, description in CODE.items():
        template["Parameters"][name] = {"Type": "String", "MinLength": 1, "Description": description}
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    groups.append({"Label": {"default": "Code"}, "Parameters": list(CODE)})
    # SAM wants a region, to know the partition. Nothing of it may get into the result.
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    translated = transform(template, {}, NoManagedPolicies())
    for name in names:
        resource = translated["Resources"][name]
        # How SAM would build it, and that SAM has.
        del resource["Metadata"]
        resource["Properties"].pop("Tags", None)
    text = json.dumps(translated, indent=1, default=str) + "\n"
    for foreign in ("us-east-1", "AWS::Serverless"):
        if foreign in text:
            sys.exit(f"the plain template holds '{foreign}', which should not be left in it")
    return text


def parameters(template):
    """A line for each: name, default, description. deploy/install.sh reads it, which has no parser of templates."""
    lines = [
        [name, str(it.get("Default", "")), " ".join(it["Description"].split())]
        for name, it in template["Parameters"].items()
    ]
    return "".join("\t".join(line) + "\n" for line in lines)


def zipped(binary):
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, binary.read_bytes())
    return buffer.getvalue()


def found(folder, name):
    for path in (folder / name / "bootstrap", folder / name):
        if path.is_file():
            return path
    sys.exit(f"{folder} holds no binary {name}")


def checksums(folder):
    files = sorted(it for it in folder.rglob("*") if it.is_file())
    lines = [f"{hashlib.sha256(it.read_bytes()).hexdigest()}  {it.relative_to(folder).as_posix()}" for it in files]
    return "\n".join(lines) + "\n"


def pair(text):
    key, _, value = text.partition("=")
    return key, pathlib.Path(value)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--version", required=True)
    arguments.add_argument("--out", required=True, type=pathlib.Path)
    arguments.add_argument("--binaries", action="append", required=True, type=pair, metavar="ARCHITECTURE=FOLDER")
    options = arguments.parse_args()

    template = yaml_parse((ROOT / "template.yaml").read_text())
    known = template["Parameters"]["Architecture"]["AllowedValues"]
    out = options.out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for architecture, folder in options.binaries:
        if architecture not in known:
            sys.exit(f"'{architecture}' is not an architecture of the template; it knows {' and '.join(known)}")
        for name in functions(template).values():
            (out / f"{name}-{architecture}.zip").write_bytes(zipped(found(folder, name)))
    for name in AS_THEY_ARE:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, out / source.name)
    (out / "VERSION").write_text(options.version + "\n")
    (out / "parameters.txt").write_text(parameters(template))
    (out / "template.json").write_text(plain(template))
    (out / "SHA256SUMS").write_text(checksums(out))


if __name__ == "__main__":
    main()
