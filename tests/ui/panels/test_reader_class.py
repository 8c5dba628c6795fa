import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QToolButton

from ctviewer.ui.panels.reader_class import NOT_STATED, OTHER, ReaderClass, ReaderClassView

CHOICES = ("no finding", "pneumonia-like", "COVID-19-like")
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def control(show):
    return show(ReaderClass(), height=160)


def checked(control):
    return [name for name, chip in control.buttons.items() if chip.isChecked()]


def test_nothing_stated_is_said(control):
    control.show_view(ReaderClassView(CHOICES))
    assert list(control.buttons) == [NOT_STATED, *CHOICES, OTHER] and checked(control) == [NOT_STATED]


def test_a_click_says_what_was_meant_and_changes_nothing_by_itself(control, qtbot):
    control.show_view(ReaderClassView(CHOICES, stated=("no finding",)))
    with qtbot.waitSignal(control.chosen) as told:
        QTest.mouseClick(control.buttons["COVID-19-like"], LEFT)
    assert told.args == ["COVID-19-like"] and checked(control) == ["no finding"], "the presenter decides"
    control.show_view(ReaderClassView(CHOICES, stated=("COVID-19-like",), origin="Accepted from demo 1.0.0."))
    assert checked(control) == ["COVID-19-like"]
    assert "Accepted from demo 1.0.0." in [label.text() for label in control.findChildren(QLabel) if label.isVisible()]
    with qtbot.waitSignal(control.cleared):
        QTest.mouseClick(control.buttons[NOT_STATED], LEFT)


def test_the_models_answer_has_the_models_colour_and_says_its_key(control, has_colour, dark):
    control.show_view(ReaderClassView(CHOICES))
    assert not has_colour(control, dark.accent)
    control.show_view(ReaderClassView(CHOICES, answer=("pneumonia-like",)))
    assert has_colour(control.buttons["pneumonia-like"], dark.accent)
    assert not has_colour(control.buttons["no finding"], dark.accent)
    assert "A accepts it" in control.buttons["pneumonia-like"].toolTip()


def test_a_class_of_ones_own_is_typed_and_esc_leaves(control, qtbot):
    control.show_view(ReaderClassView(CHOICES, known=("Sarcoidosis",)))
    QTest.mouseClick(control.buttons[OTHER], LEFT)
    field = control._field
    assert field.isVisible() and field.completer().model().stringList() == ["Sarcoidosis"]
    with qtbot.waitSignals((control.typed, control.left)), qtbot.waitSignal(control.typed) as told:
        QTest.keyClicks(field, "Oedema")
        QTest.keyClick(field, Qt.Key.Key_Return)
    assert told.args == ["Oedema"] and not field.isVisible()
    QTest.mouseClick(control.buttons[OTHER], LEFT)
    QTest.keyClicks(field, "x")
    with qtbot.assertNotEmitted(control.typed), qtbot.waitSignal(control.left):
        QTest.keyClick(field, Qt.Key.Key_Escape)
    assert not field.isVisible() and field.text() == ""
    QTest.mouseClick(control.buttons[OTHER], LEFT)
    with qtbot.waitSignal(control.cleared):
        QTest.keyClicks(field, "not stated")
        QTest.keyClick(field, Qt.Key.Key_Return)


def test_long_and_odd_names_stay_in_the_column_and_are_shown_as_they_are(show):
    names = ("A very long name of a class that no column holds " * 2, "lung & <b>heart</b>")
    control = show(ReaderClass(), width=250, height=200)
    control.show_view(ReaderClassView(names, stated=names[1:]))
    qualified = control.buttons[names[0]]
    assert qualified.width() <= 250 and control.minimumSizeHint().width() <= 250
    assert control.buttons[names[1]].text() == "lung && <b>heart</b>" and names[0] in qualified.toolTip()
    assert all(chip.geometry().right() <= control.width() for chip in control.findChildren(QToolButton))


def test_lines_wrap_by_width(show):
    wide, narrow = show(ReaderClass(), width=600), show(ReaderClass(), width=250)
    for control in (wide, narrow):
        control.show_view(ReaderClassView(CHOICES))
    assert wide._chips.heightForWidth(600) < narrow._chips.heightForWidth(250)


def test_without_a_reading_nothing_can_be_stated(control, qtbot):
    control.show_view(ReaderClassView(CHOICES, enabled=False))
    with qtbot.assertNotEmitted(control.chosen):
        QTest.mouseClick(control.buttons["no finding"], LEFT)
