"""Whose a session hash or an event is."""

from uuid import uuid4

from app.bindings import Bindings

ALICE, BOB = uuid4(), uuid4()


def test_a_name_belongs_to_who_used_it_first() -> None:
    bindings = Bindings()

    assert bindings.claim("abc", ALICE)
    assert bindings.claim("abc", ALICE)
    assert not bindings.claim("abc", BOB)
    assert bindings.owns("abc", ALICE)
    assert not bindings.owns("abc", BOB)


def test_asking_for_a_name_does_not_make_it_anybodys() -> None:
    bindings = Bindings()

    assert not bindings.owns("abc", BOB)
    assert bindings.claim("abc", ALICE)


def test_a_refused_claim_changes_nothing() -> None:
    bindings = Bindings()
    bindings.claim("abc", ALICE)

    bindings.claim("abc", BOB)

    assert bindings.owns("abc", ALICE)
    assert len(bindings) == 1


def test_nobody_can_push_out_the_names_of_others() -> None:
    bindings = Bindings(each=10, in_all=1_000)
    bindings.claim("of alice", ALICE)

    for number in range(500):
        bindings.claim(f"{number}", BOB)

    assert bindings.owns("of alice", ALICE)
    assert not bindings.claim("of alice", BOB)
    assert len(bindings) == 11


def test_of_ones_own_names_the_one_used_longest_ago_is_forgotten() -> None:
    bindings = Bindings(each=3)
    for name in ("a", "b", "c"):
        bindings.claim(name, ALICE)
    bindings.claim("a", ALICE)

    bindings.claim("d", ALICE)

    assert [name for name in "abcd" if bindings.owns(name, ALICE)] == ["a", "c", "d"]


def test_memory_is_bounded_whatever_the_number_of_users() -> None:
    bindings = Bindings(each=10, in_all=100)

    for number in range(1_000):
        bindings.claim(f"{number}", uuid4())

    assert len(bindings) == 100
    assert bindings._names.keys() == set(bindings._owners.values())


def test_gradio_forgets_a_session_before_it_is_forgotten_here() -> None:
    from app.bindings import ALL

    sessions_of_gradio = 10_000

    assert sessions_of_gradio < ALL
