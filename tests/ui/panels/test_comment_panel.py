import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest

from ctviewer.ui.panels.comment_panel import CommentPanel


@pytest.fixture
def panel(show):
    return show(CommentPanel())


def test_typing_tells_the_whole_text(panel):
    questions, comments = [], []
    panel.question_edited.connect(questions.append)
    panel.comment_edited.connect(comments.append)
    QTest.keyClicks(panel._question, "ab")
    QTest.keyClicks(panel._comment, "c")
    QTest.keyClick(panel._comment, Qt.Key.Key_Return)
    assert questions == ["a", "ab"]
    assert comments == ["c", "c\n"]


def test_setters_tell_nothing_and_keep_the_cursor_where_nothing_changed(panel):
    heard = []
    panel.question_edited.connect(heard.append)
    panel.comment_edited.connect(heard.append)
    panel.set_question("Infiltrates?")
    panel.set_comment("山田 Ж\nsecond line")
    cursor = panel._comment.textCursor()
    cursor.setPosition(4)
    panel._comment.setTextCursor(cursor)
    panel.set_comment("山田 Ж\nsecond line")
    assert heard == []
    assert panel._comment.textCursor().position() == 4
    panel.set_comment("")
    panel._comment.moveCursor(QTextCursor.MoveOperation.End)
    assert panel._comment.toPlainText() == ""


def test_escape_gives_the_focus_back(panel, qtbot):
    for field in (panel._question, panel._comment):
        with qtbot.waitSignal(panel.escape_pressed):
            QTest.keyClick(field, Qt.Key.Key_Escape)


def test_without_a_series_nothing_can_be_typed(panel):
    panel.set_editable(False)
    heard = []
    panel.comment_edited.connect(heard.append)
    QTest.keyClicks(panel._comment, "c")
    assert heard == []
    panel.set_editable(True)
    assert panel._question.isEnabled()
