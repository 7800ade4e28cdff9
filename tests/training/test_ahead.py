import threading

import pytest

from rice_ssl.training.ahead import OneAhead


def test_numbers_come_in_order_each_made_once_and_one_ahead():
    made, began = [], threading.Event()

    def make(number):
        made.append(number)
        if number == 1:
            began.set()
        return number * 10

    ahead = OneAhead(make, end=4, threaded=True)
    assert ahead.take(0) == 0
    assert began.wait(5)  # the next is made without being asked for
    assert [ahead.take(number) for number in (1, 2, 3)] == [10, 20, 30]
    ahead.close()
    assert made == [0, 1, 2, 3]  # nothing beyond the end


@pytest.mark.parametrize("threaded", [True, False])
def test_a_jump_makes_what_is_asked_for(threaded):
    ahead = OneAhead(lambda number: number, end=100, threaded=threaded)
    assert [ahead.take(number) for number in (3, 50, 51)] == [3, 50, 51]
    ahead.close()


@pytest.mark.parametrize("threaded", [True, False])
def test_what_making_raises_is_raised_when_it_is_taken(threaded):
    def make(number):
        if number == 1:
            raise ValueError("no crop")
        return number

    ahead = OneAhead(make, end=3, threaded=threaded)
    assert ahead.take(0) == 0
    with pytest.raises(ValueError, match="no crop"):
        ahead.take(1)
    ahead.close()
