"""The templates port over folders of YAML files, read once at start. A file that is wrong is an error then."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator_svc.adapters.templates.yaml import MAX_BYTES, read_yaml
from orchestrator_svc.domain.template.model import Template
from orchestrator_svc.domain.template.problems import template_invalid
from orchestrator_svc.domain.template.reading import read_template
from orchestrator_svc.ports.schemas import SchemaCompiler
from shared.kernel.errors import FieldViolation, InvalidError, NotFoundError

_SHOWN = 20


class FolderTemplates:
    """Implements `TemplateCatalogue`.

    Each search path is a file, or a folder: of a folder every `*.yaml`, and the `template.yaml` of every folder in it.
    """

    def __init__(self, search_paths: Sequence[Path], schemas: SchemaCompiler) -> None:
        """Raises InvalidError (TEMPLATE_INVALID) with the file's path for whatever is wrong with one of them: a path
        that is not there, a file that is no template, two files with the same name and version."""
        self._schemas = schemas
        self._templates: dict[str, dict[str, Template]] = {}
        origins: dict[str, Path] = {}
        for file in dict.fromkeys(file for path in search_paths for file in _files(path)):
            template = self._read(file)
            earlier = origins.setdefault(str(template), file)
            if earlier != file:
                raise _wrong(file, f"{template} is in {earlier} already: give one of them another name or version")
            self._templates.setdefault(template.name, {})[template.version] = template

    def list(self) -> Sequence[Template]:
        everything = (template for versions in self._templates.values() for template in versions.values())
        return sorted(everything, key=lambda template: (template.name, template.version_order, template.version))

    def get(self, name: str, version: str | None = None) -> Template:
        versions = self._templates.get(name)
        if not versions:
            known = ", ".join(sorted(self._templates)[:_SHOWN]) or "none"
            raise NotFoundError("TEMPLATE_UNKNOWN", f"no template is called {name[:128]!r}; there are: {known}")
        if not version:
            return max(versions.values(), key=lambda template: template.version_order)
        if version not in versions:
            known = ", ".join(list(versions)[:_SHOWN])
            raise NotFoundError("TEMPLATE_UNKNOWN", f"{name} has no version {version[:64]!r}; there are: {known}")
        return versions[version]

    def parse(self, text: str) -> Template:
        document = read_yaml(text)
        template = read_template(document.value, text, document.line_of)
        self._check_parameters(template)
        return template

    def _check_parameters(self, template: Template) -> None:
        try:
            validator = self._schemas.compile(template.parameters_schema_json)
        except InvalidError as error:
            wrong = [FieldViolation("parameters" + one.field, one.description) for one in error.violations]
            raise template_invalid(wrong) from None
        wrong = [
            FieldViolation(f"parameters.properties.{name}.default", violation.message)
            for name in template.defaults
            for violation in validator.validate({name: template.defaults[name]})
            if violation.path == f"/{name}" or violation.path.startswith(f"/{name}/")
        ]
        if wrong:
            raise template_invalid(wrong)

    def _read(self, file: Path) -> Template:
        try:
            if file.stat().st_size > MAX_BYTES:
                raise _wrong(file, f"larger than {MAX_BYTES:,} bytes")
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise _wrong(file, f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise _wrong(file, f"is not UTF-8 at byte {error.start}: save it as UTF-8") from None
        try:
            return self.parse(text)
        except InvalidError as error:
            wrong = [FieldViolation(f"{file}: {one.field}".rstrip(": "), one.description) for one in error.violations]
            raise template_invalid(wrong) from None


def _files(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise _wrong(path, "neither a folder nor a file: mend the search path")
    return [*sorted(path.glob("*.yaml")), *sorted(path.glob("*/template.yaml"))]


def _wrong(file: Path, message: str) -> InvalidError:
    return template_invalid([FieldViolation(str(file), message)])
