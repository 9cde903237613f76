from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent

SKIPPED = {
    "acceptance/test_ciq.py::*",
    "check/test_second_opinion.py::test_on_real_messages_it_adds_trailing_blanks_alone",
    "check/test_structure.py::test_a_real_rejection_against_a_close_table",
    "check/test_service_directory.py::test_the_shipped_service_messages_say_what_the_directory_says",
    "check/test_unece.py::test_directories_are_complete",
    "check/test_unece.py::test_every_message_of_every_directory_is_imported",
    "check/test_unece.py::test_known_traps_of_the_directories",
    "check/test_unece.py::test_messages_of_other_software_against_their_directories",
    "check/test_unece.py::test_the_shipped_tables_say_what_the_directories_say",
    "check/test_xsd.py::test_other_authorities_messages_have_no_table",
    "check/test_xsd.py::test_synthetic_declaration_is_valid",
    "cli/test_validate.py::test_messages_of_other_software_are_read",
    "documents/test_declaration_model.py::test_the_list_of_items_is_the_published_one",
    "parse/test_edifact.py::test_messages_of_other_software",
    "parse/test_x12.py::test_other_peoples_messages_are_read",
    "parse/test_x12.py::test_the_binary_sample_keeps_its_25_bytes",
    "receipt/test_edifact.py::test_answers_to_messages_of_other_software",
    "receipt/test_x12.py::test_the_real_309_is_accepted_with_errors_under_a_lenient_agreement",
    "receipt/test_x12.py::test_the_real_309_is_rejected_under_a_strict_agreement",
    "test_adding_message.py::test_a_newcomer_gets_to_a_working_translation",
}
"""What a clone without other people's material skips, and nothing else does for want of it."""


def test_what_needs_foreign_material_is_named() -> None:
    """The tests that are skipped without GATEWAY_TEST_MATERIAL are these and no others."""
    assert {name for path in TESTS.rglob("test_*.py") for name in _needing(path)} == SKIPPED


def test_nothing_else_looks_for_material() -> None:
    """No test finds material by a path of its own outside the project, or by reading the variable itself."""
    strangers = ("/sha" + "red", "GATEWAY_TEST_" + "MATERIAL")
    readers = {path for path in TESTS.rglob("*.py") if any(word in path.read_text("utf-8") for word in strangers)}
    assert {str(path.relative_to(TESTS)) for path in readers} == {"foreign.py", "test_foreign.py"}


def _needing(path: Path) -> list[str]:
    """The tests of a file that are marked as needing material; `*` for the whole file."""
    tree = ast.parse(path.read_text("utf-8"))
    marked = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(ast.unparse(decorator) == "foreign.needed" for decorator in node.decorator_list)
    ]
    whole = [
        "*"
        for node in tree.body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "pytestmark"
        and "foreign.needed" in ast.unparse(node.value)
    ]
    return [f"{path.relative_to(TESTS)}::{name}" for name in (whole or marked)]
