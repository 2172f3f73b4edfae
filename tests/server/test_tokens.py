"""The single-use token of a media socket."""

from callfsm.config import Business
from callfsm.server.tokens import MOST_OUTSTANDING, Tokens

BAKERY = Business(number="+1", name="מאפייה")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_token_stands_for_the_business_once() -> None:
    tokens = Tokens(Clock(), 60.0)
    token = tokens.issue("CA1", "AC1", BAKERY, "+2")

    ticket = tokens.redeem(token, "CA1", "AC1")

    assert ticket is not None
    assert (ticket.business, ticket.caller) == (BAKERY, "+2")
    assert tokens.redeem(token, "CA1", "AC1") is None


def test_token_of_another_call_or_account_is_used_up_for_nothing() -> None:
    tokens = Tokens(Clock(), 60.0)
    of_call, of_account = tokens.issue("CA1", "AC1", BAKERY, "+2"), tokens.issue("CA1", "AC1", BAKERY, "+2")

    assert tokens.redeem(of_call, "CA2", "AC1") is None
    assert tokens.redeem(of_account, "CA1", "AC2") is None
    assert tokens.redeem(of_call, "CA1", "AC1") is None


def test_token_lives_sixty_seconds() -> None:
    clock = Clock()
    tokens = Tokens(clock, 60.0)
    in_time, late = tokens.issue("CA1", "AC1", BAKERY, "+2"), tokens.issue("CA1", "AC1", BAKERY, "+2")
    clock.now += 59.9
    first = tokens.redeem(in_time, "CA1", "AC1")
    clock.now += 0.1

    assert first is not None
    assert tokens.redeem(late, "CA1", "AC1") is None


def test_forgotten_tokens_are_forgotten() -> None:
    clock = Clock()
    tokens = Tokens(clock, 60.0)
    old = [tokens.issue("CA1", "AC1", BAKERY, "+2") for _ in range(3)]
    clock.now += 61
    tokens.issue("CA2", "AC1", BAKERY, "+2")

    assert not any(token in tokens._tickets for token in old)


def test_tokens_are_256_bits_and_differ() -> None:
    tokens = Tokens(Clock(), 60.0)
    issued = {tokens.issue("CA1", "AC1", BAKERY, "+2") for _ in range(100)}

    assert len(issued) == 100
    assert {len(token) for token in issued} == {43}


def test_more_than_ten_thousand_push_the_oldest_out() -> None:
    tokens = Tokens(Clock(), 60.0)
    issued = [tokens.issue(f"CA{number}", "AC1", BAKERY, "+2") for number in range(MOST_OUTSTANDING + 2)]

    assert len(tokens._tickets) == MOST_OUTSTANDING == 10_000
    assert tokens.redeem(issued[1], "CA1", "AC1") is None
    assert tokens.redeem(issued[2], "CA2", "AC1") is not None
