"""AES-256-GCM-SIV and the token format against a second implementation: @noble/ciphers under node."""

import pathlib
import random
import subprocess

import pytest
from conftest import clean_environment, patience, program_path

NODE = pathlib.Path(__file__).resolve().parents[1] / "node"
# Every length about the block's size, then some long ones.
LENGTHS = [*range(0, 82), 127, 128, 129, 255, 256, 1000, 4096, 65536, 65537]


def answers(command, questions):
    done = subprocess.run(
        command,
        input="".join(question + "\n" for question in questions),
        capture_output=True,
        text=True,
        env=clean_environment(None),
        timeout=patience(60),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(questions)
    return lines


def ours(questions):
    return answers([str(program_path("tests/siv_answers"))], questions)


def theirs(questions):
    if not (NODE / "node_modules").is_dir():
        pytest.fail("tests/node has no node_modules: script/bootstrap installs them")
    return answers(["node", str(NODE / "second_siv.mjs")], questions)


def hexadecimal(data):
    return data.hex() or "-"


@pytest.fixture(name="dice")
def fixture_dice():
    return random.Random(8452)


def test_siv_every_length_gives_the_same_bytes(dice):
    questions = [
        f"siv {dice.randbytes(32).hex()} {dice.randbytes(12).hex()} {hexadecimal(dice.randbytes(aad))} "
        f"{hexadecimal(dice.randbytes(length))}"
        for length in LENGTHS
        for aad in (0, 4, dice.randrange(1, 100))
    ]
    assert ours(questions) == theirs(questions)


def tokens(dice):
    key = dice.randbytes(32).hex()
    return [f"token {key} {kind} {hexadecimal(dice.randbytes(length))}" for length in LENGTHS for kind in ("string", "json")]


def test_token_sealed_by_either_is_the_same_text(dice):
    questions = tokens(dice)
    assert ours(questions) == theirs(questions)


def test_token_sealed_by_one_opens_with_the_other(dice):
    questions = tokens(dice)
    for sealer, opener in ((ours, theirs), (theirs, ours)):
        sealed = sealer(questions)
        expected = [" ".join(question.split(" ")[2:]) for question in questions]
        assert opener([f"open {q.split(' ')[1]} {token}" for q, token in zip(questions, sealed)]) == expected


def test_token_changed_or_of_another_key_is_refused_by_both(dice):
    questions = tokens(dice)[:160]
    attempts = []
    for question, token in zip(questions, ours(questions)):
        key = question.split(" ")[1]
        at = dice.randrange(20, len(token) - 1)
        other = "A" if token[at] != "A" else "B"
        attempts.append(f"open {key} {token[:at]}{other}{token[at + 1 :]}")
        attempts.append(f"open {dice.randbytes(32).hex()} {token}")
    assert ours(attempts) == theirs(attempts) == ["refused"] * len(attempts)


def test_token_known_values_are_the_design_s():
    key = "aa" * 32
    questions = [f"token {key} string {hexadecimal(text)}" for text in (b"hello", b"", b"123-45-6789")]
    expected = [
        "v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy",
        "v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2_ue3QS6Sgvw",
        "v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3",
    ]
    assert ours(questions) == expected
    assert theirs(questions) == expected
