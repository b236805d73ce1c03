"""Data sets and files as pictures and labels."""

import os

import cv2

# A file that does not decode is told in a line of our own; the decoders' words beside it tell a user nothing more.
# FFmpeg asks once a process, at its first video, read or written: hence here, before any module that knows of videos.
# Readers of videos ask for FFmpeg by name, since the decoders that OpenCV would try next print whatever is set.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
