"""vitzoo"""
